// SPDX-License-Identifier: GPL-2.0
/*
 * The addresses that a switch has learned: a hash table that is read under RCU.
 *
 * A packet whose source is known behind the right port writes nothing, but once a tick
 * the time.  Changes are under &nb_table.lock, with bottom halves off.
 *
 * An entry that has not sent for the ageing time counts as gone; it is freed when its
 * place is needed.  A table without a place learns nothing more: what is sent to further
 * addresses is flooded, what is known stays known.
 */
#include <linux/hash.h>
#include <linux/jhash.h>
#include <linux/jiffies.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/rculist.h>
#include <linux/slab.h>

#include "switch.h"

int nb_table_create(struct nb_table *table, u32 size, unsigned long ageing)
{
	spin_lock_init(&table->lock);
	table->bits = ilog2(roundup_pow_of_two(size));
	table->buckets = kvcalloc(1UL << table->bits, sizeof(*table->buckets),
				  GFP_KERNEL_ACCOUNT);
	if (!table->buckets)
		return -ENOMEM;
	table->seed = get_random_u32();
	table->size = size;
	table->ageing = ageing;
	table->next_sweep = jiffies;
	return 0;
}

/* No ports, so no entries. */
void nb_table_destroy(struct nb_table *table)
{
	WARN_ON_ONCE(table->n);
	kvfree(table->buckets);
}

static struct hlist_head *nb_table_bucket(const struct nb_table *table, u64 key)
{
	u32 hash = jhash_2words(key, key >> 32, table->seed);

	return &table->buckets[hash & ((1U << table->bits) - 1)];
}

static struct nb_address *nb_table_search(struct hlist_head *bucket, u64 key)
{
	struct nb_address *address;

	hlist_for_each_entry_rcu(address, bucket, node)
		if (address->key == key)
			return address;
	return NULL;
}

struct nb_port *nb_table_find(const struct nb_table *table, u64 key)
{
	struct nb_address *address = nb_table_search(nb_table_bucket(table, key), key);

	if (!address || nb_address_is_old(table, address))
		return NULL;
	return rcu_dereference(address->port);
}

static struct nb_port *nb_address_port(const struct nb_table *table,
				       const struct nb_address *address)
{
	return rcu_dereference_protected(address->port, lockdep_is_held(&table->lock));
}

/* Who walks over the table may have missed something. */
static void nb_table_changed(struct nb_table *table)
{
	lockdep_assert_held(&table->lock);
	WRITE_ONCE(table->changes, table->changes + 1);
}

static void nb_table_count_full(struct nb_table *table, struct nb_port *port)
{
	table->full++;
	port->not_learned++;
}

static void nb_table_remove(struct nb_table *table, struct nb_address *address)
{
	lockdep_assert_held(&table->lock);
	nb_address_port(table, address)->n_addresses--;
	list_del(&address->list);
	hlist_del_rcu(&address->node);
	table->n--;
	nb_table_changed(table);
	kfree_rcu(address, rcu);
}

static void nb_table_remove_old(struct nb_table *table, struct hlist_head *bucket)
{
	struct nb_address *address;
	struct hlist_node *next;

	hlist_for_each_entry_safe(address, next, bucket, node)
		if (nb_address_is_old(table, address))
			nb_table_remove(table, address);
}

/* All of them, but not for each packet of somebody who fills the table. */
static void nb_table_sweep(struct nb_table *table)
{
	unsigned int i;

	if (time_before(jiffies, table->next_sweep))
		return;
	table->next_sweep = jiffies + table->ageing / 4 + 1;
	for (i = 0; i < 1U << table->bits; i++)
		nb_table_remove_old(table, &table->buckets[i]);
}

static bool nb_table_has_room(const struct nb_table *table, const struct nb_port *port)
{
	return table->n < table->size && port->n_addresses < port->max_addresses;
}

static void nb_table_add(struct nb_table *table, struct hlist_head *bucket, u64 key,
			 struct nb_port *port)
{
	struct nb_address *address = NULL;

	if (!nb_table_has_room(table, port))
		nb_table_sweep(table);
	if (nb_table_has_room(table, port))
		address = kmalloc(sizeof(*address), GFP_ATOMIC | __GFP_NOWARN | __GFP_ACCOUNT);
	if (!address) {
		nb_table_count_full(table, port);
		return;
	}
	address->key = key;
	address->seen = jiffies;
	RCU_INIT_POINTER(address->port, port);
	list_add(&address->list, &port->addresses);
	hlist_add_head_rcu(&address->node, bucket);
	port->n_addresses++;
	table->n++;
	nb_table_changed(table);
}

/* A station has gone from one port to another; if that has no place, nobody knows it. */
static void nb_table_move(struct nb_table *table, struct nb_address *address,
			  struct nb_port *port)
{
	struct nb_port *from = nb_address_port(table, address);

	if (port->n_addresses >= port->max_addresses) {
		nb_table_remove(table, address);
		nb_table_count_full(table, port);
		return;
	}
	from->n_addresses--;
	port->n_addresses++;
	list_move(&address->list, &port->addresses);
	rcu_assign_pointer(address->port, port);
	WRITE_ONCE(address->seen, jiffies);
	nb_table_changed(table);
}

static void nb_table_change(struct nb_table *table, struct hlist_head *bucket, u64 key,
			    struct nb_port *port)
{
	struct nb_address *address;

	spin_lock(&table->lock);
	nb_table_remove_old(table, bucket);
	address = nb_table_search(bucket, key);
	if (!address)
		nb_table_add(table, bucket, key, port);
	else if (nb_address_port(table, address) != port)
		nb_table_move(table, address, port);
	spin_unlock(&table->lock);
}

void nb_table_learn(struct nb_table *table, u64 key, struct nb_port *port)
{
	struct hlist_head *bucket = nb_table_bucket(table, key);
	struct nb_address *address = nb_table_search(bucket, key);
	unsigned long now = jiffies;

	if (unlikely(!address || rcu_access_pointer(address->port) != port))
		nb_table_change(table, bucket, key, port);
	else if (READ_ONCE(address->seen) != now)
		WRITE_ONCE(address->seen, now);
}

void nb_table_forget(struct nb_table *table, struct nb_port *port)
{
	struct nb_address *address, *next;

	spin_lock_bh(&table->lock);
	list_for_each_entry_safe(address, next, &port->addresses, list)
		nb_table_remove(table, address);
	spin_unlock_bh(&table->lock);
}
