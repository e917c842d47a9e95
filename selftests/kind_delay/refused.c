// SPDX-License-Identifier: GPL-2.0
/*
 * A module for tests whose kinds nb_register_kind() has to refuse.  It can be loaded if
 * all of them were, and brings no kind.
 */
#include <linux/err.h>
#include <linux/module.h>

#include <net_backend/kind.h>

static struct nb_backend *nb_refused_create(const struct nb_backend_params *params,
					    struct nb_msg *msg)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static void nb_refused_destroy(struct nb_backend *backend)
{
}

static int nb_refused_info(struct nb_backend *backend, struct nb_endpoint_info *info)
{
	return 0;
}

static unsigned int nb_refused_tx(struct nb_queue *queue, struct nb_packet *packets,
				  unsigned int n)
{
	return n;
}

static const struct nb_queue_ops nb_refused_queue_ops = {
	.tx = nb_refused_tx,
};

static const struct nb_endpoint_ops nb_good = {
	.name = "good",
	.max_queues = 1,
	.queue_ops = &nb_refused_queue_ops,
	.create = nb_refused_create,
	.destroy = nb_refused_destroy,
	.info = nb_refused_info,
};

static struct nb_endpoint_ops nb_again, nb_bad[8];

static void nb_make_bad(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(nb_bad); i++)
		nb_bad[i] = nb_good;
	nb_bad[0].name = "";
	nb_bad[1].name = "../null";
	nb_bad[2].name = "sixteen-letters-";
	nb_bad[3].max_queues = 0;
	nb_bad[4].max_queues = NB_MAX_QUEUES + 1;
	nb_bad[5].queue_ops = NULL;
	nb_bad[6].create = NULL;
	nb_bad[7].info = NULL;
}

static int __init nb_refused_init(void)
{
	unsigned int i;

	nb_again = nb_good;
	nb_again.name = "null";
	if (nb_register_kind(&nb_again) != -EEXIST)
		return -EBADMSG;
	nb_make_bad();
	for (i = 0; i < ARRAY_SIZE(nb_bad); i++)
		if (nb_register_kind(&nb_bad[i]) != -EINVAL)
			return -EBADMSG;
	return 0;
}

static void __exit nb_refused_exit(void)
{
}

module_init(nb_refused_init);
module_exit(nb_refused_exit);

MODULE_DESCRIPTION("net_backend: kinds that are refused, for tests");
MODULE_LICENSE("GPL");
