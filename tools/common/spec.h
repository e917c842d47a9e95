/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An endpoint as the command lines of nbwire and nbvhost name it
 */
#ifndef NB_SPEC_H
#define NB_SPEC_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include <libnb.h>

/**
 * struct spec - what an endpoint is to be
 * @text: what the command line says
 * @kind: kind of the endpoint
 * @name: its name, or empty
 * @netns: path of its network namespace, or empty for that of the program
 * @mac: its Ethernet address
 * @has_mac: @mac was given
 * @mtu: its MTU, or 0
 * @attach: for kind attach
 * @port: for kind switch
 */
struct spec {
	const char *text;
	char kind[NB_KIND_LEN];
	char name[NB_NAME_LEN];
	char netns[PATH_MAX];
	uint8_t mac[6];
	bool has_mac;
	uint32_t mtu;
	struct nb_attach_params attach;
	struct nb_switch_params port;
};

/* spec.c APIs: */
int spec_parse(struct spec *spec, const char *text);
int spec_number(const char *text, unsigned int low, unsigned int high, unsigned int *number);
int spec_create(const struct spec *spec, struct nb *nb, uint16_t max_queues,
		struct nb_endpoint **ep);

#endif /* NB_SPEC_H */
