// SPDX-License-Identifier: GPL-2.0
/*
 * nbctl kinds: which kinds of endpoint there are
 */
#include <stdlib.h>

#include "nbctl.h"

static const char usage[] =
"Usage: nbctl kinds\n"
"Shows the kinds of endpoint that can be made without another module being loaded, and\n"
"which module brings them.\n";

int kinds_main(int argc, char **argv)
{
	struct kind *kinds;
	size_t i, n;

	if (asks_for_help(argc, argv, usage))
		return STATUS_OK;
	if (argc > 1)
		return usage_error("kinds", argv[1]);
	if (objects_get_kinds(&kinds, &n))
		return STATUS_FAILED;
	output_begin();
	for (i = 0; i < n; i++)
		output_record(kind_fields, &kinds[i]);
	free(kinds);
	return output_end();
}
