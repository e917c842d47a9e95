/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is special to the kind of a new backend
 */
#ifndef PARAMS_H
#define PARAMS_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/net_backend.h>

/**
 * struct kind_params - keywords of all kinds that have any
 * @attach: dev and promisc
 * @port: switch, vlan and isolated
 */
struct kind_params {
	struct nb_attach_params attach;
	struct nb_switch_params port;
};

/**
 * struct params - a kind's struct, for NB_A_ENDPOINT_PARAMS
 * @data: the struct
 * @size: its bytes
 */
struct params {
	const void *data;
	size_t size;
};

/*
 * Takes a keyword, and its value if it has one, from the command line. The number of
 * words; 0 if the keyword is none of these; or -1, when it has said what is wrong.
 */
int params_parse(struct kind_params *params, int argc, char **argv);

/* Do the keywords go with the kind, which may be NULL? Says what is wrong; a status. */
int params_check(const struct kind_params *params, const char *kind);

/* The struct of the kind, which may be NULL; false if it has none. */
bool params_of(const struct kind_params *all, const char *kind, struct params *params);

#endif /* PARAMS_H */
