// SPDX-License-Identifier: GPL-2.0
/*
 * Packets that somebody on the host keeps stay as they were sent, however many are sent
 * after them: memory is used again only when the host is done with it.
 */
#include <linux/filter.h>
#include <string.h>
#include <sys/socket.h>

#include "kselftest_harness.h"
#include "nbtest.h"

#define LONGEST		60000u
/* More than 8 MiB, several times what a CPU keeps to use again. */
#define ROUNDS		128u

static const uint32_t lengths[] = { 14, 60, LONGEST, 1514, 2049, 40000 };

#define PACKETS		(ROUNDS * ARRAY_LEN(lengths))

FIXTURE(held)
{
	struct nb_guest guest;
	struct nb_nic nic;
};

FIXTURE_SETUP(held)
{
	nb_host_new_netns();
	nb_guest_open(&self->guest, 0);
	nb_nic_open(&self->nic, &self->guest, &nb_test_netdev, LONGEST);
	nb_nic_start(&self->nic, 1, 0);
}

FIXTURE_TEARDOWN(held)
{
	nb_nic_close(&self->nic);
	nb_guest_close(&self->guest);
}

static uint32_t length_of(unsigned int i)
{
	return lengths[i % ARRAY_LEN(lengths)];
}

/* Each in the place of the one before, with other bytes. */
static void send_packets(FIXTURE_DATA(held) *self, unsigned int first, unsigned int n)
{
	struct nb_tx_segment segment;
	unsigned int i;

	for (i = first; i < first + n; i++) {
		segment = nb_tx_packet(nb_frame_put(&self->guest, 0, length_of(i), i),
				       length_of(i), i);
		nb_tx_all(self->nic.queue, &segment, 1);
	}
}

/* The number of packets, from the first one on, that arrive as they were sent. */
static unsigned int count_unchanged(struct nb_host *host, unsigned int first, unsigned int n)
{
	static char sent[LONGEST], got[LONGEST];
	unsigned int i;

	for (i = first; i < first + n; i++) {
		nb_frame_fill(sent, length_of(i), i);
		if (nb_host_receive(host, got, sizeof(got), NULL) != (ssize_t)length_of(i) ||
		    memcmp(sent, got, length_of(i)))
			break;
	}
	return i - first;
}

TEST_F_TIMEOUT(held, packets_in_a_socket_keep_their_bytes, 120)
{
	send_packets(self, 0, PACKETS);
	EXPECT_EQ(PACKETS, count_unchanged(&self->nic.host, 0, PACKETS));
}

/* From now on the socket gets nothing. */
static void deafen(struct nb_host *host)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	const struct sock_fprog program = { .len = 1, .filter = &nothing };

	nb_sys(setsockopt(host->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
			  sizeof(program)));
}

TEST_F_TIMEOUT(held, packets_keep_their_bytes_while_others_come_and_go, 120)
{
	const unsigned int kept = 2 * ARRAY_LEN(lengths);
	struct nb_host others;
	unsigned int i;

	send_packets(self, 0, kept);
	deafen(&self->nic.host);
	nb_host_open_socket(&others, self->nic.host.ifindex);
	for (i = kept; i < PACKETS; i += kept) {
		send_packets(self, i, kept);
		ASSERT_EQ(kept, count_unchanged(&others, i, kept));
	}
	EXPECT_EQ(kept, count_unchanged(&self->nic.host, 0, kept));
	nb_host_close(&others);
}

TEST_HARNESS_MAIN
