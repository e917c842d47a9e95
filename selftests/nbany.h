/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Any struct that an ioctl takes.
 */
#ifndef NBANY_H
#define NBANY_H

#include <stdint.h>

#include <linux/net_backend.h>
#include <linux/net_backend_capture.h>

/* Room for any struct, and as much behind it. */
union nb_any {
	struct {
		uint32_t size;
		uint32_t flags;
		struct nb_message msg;
	};
	struct nb_info info;
	struct nb_create_memory create_memory;
	struct nb_create_endpoint create_endpoint;
	struct nb_add_region add_region;
	struct nb_remove_region remove_region;
	struct nb_endpoint_info endpoint_info;
	struct nb_get_queues get_queues;
	struct nb_endpoint_stop stop;
	struct nb_data_path data_path;
	struct nb_set_rss set_rss;
	struct nb_set_multicast set_multicast;
	struct nb_connect connect;
	struct nb_disconnect disconnect;
	struct nb_queue_info queue_info;
	struct nb_queue_eventfds eventfds;
	struct nb_enter enter;
	struct nb_queue_target target;
	struct nb_queue_moderation moderation;
	struct nb_queue_stats stats;
	struct nb_start_dirty_log start_log;
	struct nb_stop_dirty_log stop_log;
	struct nb_get_dirty_log get_log;
	struct nb_queue_quiesce quiesce;
	struct nb_queue_resume resume;
	struct nb_queue_saved saved;
	struct nb_create_capture create_capture;
	struct nb_capture_stats capture_stats;
	uint32_t words[128];
	unsigned char bytes[512];
};

#endif /* NBANY_H */
