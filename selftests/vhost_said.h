/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fixture of vhost_said.c and vhost_said_rings.c: nbvhost, whose every line is read.
 */
#ifndef VHOST_SAID_H
#define VHOST_SAID_H

#include <stdio.h>

#include "vhost.h"

#define PAIRS		2u
#define CONTROL		(2 * PAIRS)

FIXTURE(said)
{
	pid_t server;
	int said;
	struct nb_front front;
};

FIXTURE_SETUP(said)
{
	nb_test_load_module();
	nb_host_new_netns();
	self->front.memfd = -1;
	self->said = -1;
}

static inline void end(struct __test_metadata *_metadata, FIXTURE_DATA(said) *self)
{
	nb_front_close(&self->front);
	if (self->said < 0)
		return;
	EXPECT_EQ(0, nb_vhost_end(self->server));
	close(self->said);
	self->said = -1;
}

FIXTURE_TEARDOWN(said)
{
	end(_metadata, self);
}

/* An nbvhost that has said nothing yet, and has two pairs of rings and a control ring. */
static inline void begin(struct __test_metadata *_metadata, FIXTURE_DATA(said) *self,
			 const char *endpoint)
{
	end(_metadata, self);
	unlink(PATH);
	self->server = nb_vhost_run_and_listen(&self->said, "-q", "2", "-m", "4", PATH, endpoint,
					       NULL);
}

/* How often it has said that: a line, from what it says before to its end. */
static inline unsigned int times_said(FIXTURE_DATA(said) *self, const char *where,
				      const char *words)
{
	char line[256];

	snprintf(line, sizeof(line), "nbvhost: " PATH ": %s%s\n", where, words);
	return nb_vhost_times_said(self->said, line);
}

static inline unsigned int count_lines(FIXTURE_DATA(said) *self)
{
	return nb_vhost_times_said(self->said, "\n");
}

#endif /* VHOST_SAID_H */
