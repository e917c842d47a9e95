// SPDX-License-Identifier: GPL-2.0
/*
 * Fragments of pages that are used again when the host's stack is done with them.
 *
 * To the allocator, a page of a packet costs as much as the packet: it is looked for,
 * cleared, and given back.  So each CPU keeps a ring of large pages, hands one out piece
 * by piece, and then goes on with the one that it has not used for the longest time, if
 * nobody refers to that one any more.  If somebody does, a page is added to the ring; or
 * replaces that one, if the ring is full, whose last fragment then frees it.
 *
 * All references that a page's fragments will need are taken at once and in advance, and
 * handed out without an atomic operation: see &nb_frag_page.refs.
 *
 * Owns the rings.  &nb_frags.lock is innermost, and taken with bottom halves off; but for
 * real-time kernels it is nothing.
 */
#include <linux/align.h>
#include <linux/cache.h>
#include <linux/gfp.h>
#include <linux/local_lock.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/page_ref.h>
#include <linux/percpu.h>
#include <linux/topology.h>

#include "frags.h"

/* Bytes of a page as an order, and if there is no such page, the smallest will do. */
#define NB_FRAGS_ORDER		PAGE_ALLOC_COSTLY_ORDER
/* Pages of a CPU: 1 MiB where a page is 4 KiB. */
#define NB_FRAGS_PAGES		32
/* As many fragments as a page can be cut into, and more. */
#define NB_FRAGS_REFS		(16 * (PAGE_SIZE << NB_FRAGS_ORDER) / SMP_CACHE_BYTES)
#define NB_FRAGS_REFS_MIN	((PAGE_SIZE << NB_FRAGS_ORDER) / SMP_CACHE_BYTES + 1)

/**
 * struct nb_frag_page - a page of the ring
 * @page: the page
 * @refs: of its references, those that no fragment has been given
 */
struct nb_frag_page {
	struct page *page;
	unsigned int refs;
};

/**
 * struct nb_frags - a CPU's ring
 * @lock: protects all of it
 * @va: the page that is being handed out, from its end to its beginning
 * @left: its bytes that have not been
 * @i: its place in @pages
 * @n: entries of @pages
 * @pages: the ring, from @i on by age
 */
struct nb_frags {
	local_lock_t lock;
	void *va;
	unsigned int left;
	unsigned int i;
	unsigned int n;
	struct nb_frag_page pages[NB_FRAGS_PAGES];
};

static DEFINE_PER_CPU(struct nb_frags, nb_frags) = {
	.lock = INIT_LOCAL_LOCK(lock),
};

/* Does nobody else refer to it? */
static bool nb_frag_page_unused(const struct nb_frag_page *page)
{
	if (page_ref_count(page->page) != page->refs)
		return false;
	/* Its fragments were read before their references went. */
	smp_acquire__after_ctrl_dep();
	return true;
}

static void nb_frag_page_put(const struct nb_frag_page *page)
{
	page_ref_sub(page->page, page->refs - 1);
	put_page(page->page);
}

static bool nb_frag_page_alloc(struct nb_frag_page *page)
{
	const gfp_t gfp = GFP_ATOMIC | __GFP_NOWARN | __GFP_NOMEMALLOC;
	int node = numa_mem_id();
	struct page *new;

	new = alloc_pages_node(node, gfp | __GFP_COMP | __GFP_NORETRY, NB_FRAGS_ORDER);
	if (unlikely(!new))
		new = alloc_pages_node(node, gfp, 0);
	if (unlikely(!new))
		return false;
	page->page = new;
	page->refs = NB_FRAGS_REFS;
	page_ref_add(new, NB_FRAGS_REFS - 1);
	return true;
}

/* A new page at place @i: what is there becomes the youngest, or goes. */
static bool nb_frags_insert(struct nb_frags *frags, unsigned int i)
{
	struct nb_frag_page new;

	if (!nb_frag_page_alloc(&new))
		return false;
	if (frags->n < NB_FRAGS_PAGES)
		frags->pages[frags->n++] = frags->pages[i];
	else
		nb_frag_page_put(&frags->pages[i]);
	frags->pages[i] = new;
	return true;
}

/* Go on with the next page.  What is left of this one is lost until it is used again. */
static noinline bool nb_frags_refill(struct nb_frags *frags)
{
	unsigned int next = frags->i + 1 < frags->n ? frags->i + 1 : 0;
	struct nb_frag_page *page = &frags->pages[next];

	if ((!frags->n || !nb_frag_page_unused(page)) && !nb_frags_insert(frags, next))
		return false;
	if (unlikely(page->refs < NB_FRAGS_REFS_MIN)) {
		page_ref_add(page->page, NB_FRAGS_REFS);
		page->refs += NB_FRAGS_REFS;
	}
	frags->va = page_address(page->page);
	frags->left = page_size(page->page);
	frags->i = next;
	return true;
}

void *nb_frag_alloc(unsigned int size)
{
	struct nb_frags *frags;
	void *frag = NULL;

	local_lock(&nb_frags.lock);
	frags = this_cpu_ptr(&nb_frags);
	if (likely(frags->left >= size) || nb_frags_refill(frags)) {
		frags->left -= size;
		frags->pages[frags->i].refs--;
		frag = frags->va + frags->left;
	}
	local_unlock(&nb_frags.lock);
	return frag;
}

void *nb_frag_alloc_most(unsigned int max, unsigned int *size)
{
	struct nb_frags *frags;
	void *frag = NULL;

	max = ALIGN(max, SMP_CACHE_BYTES);
	local_lock(&nb_frags.lock);
	frags = this_cpu_ptr(&nb_frags);
	if (frags->left >= min_t(unsigned int, max, PAGE_SIZE) || nb_frags_refill(frags)) {
		*size = min(max, frags->left);
		frags->left -= *size;
		frags->pages[frags->i].refs--;
		frag = frags->va + frags->left;
	}
	local_unlock(&nb_frags.lock);
	return frag;
}

void nb_frags_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct nb_frags *frags = per_cpu_ptr(&nb_frags, cpu);

		while (frags->n)
			nb_frag_page_put(&frags->pages[--frags->n]);
		frags->left = 0;
	}
}
