/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Every system call of the machine ends here while a rule wants calls that no better hook serves: be quick. */
#include "call.h"

SEC("tp_btf/sys_exit")
int call_ended(u64 *context)
{
	u32 number = bare_call_number(context);
	struct call_route *route = bpf_map_lookup_elem(&call_routes, &number);

	/* Whether it is a 32-bit call is asked only where it matters. */
	if (!route || !route->either)
		return 0;
	number = call_number(context);
	route = bpf_map_lookup_elem(&call_routes, &number);
	if (route && route->handler) {
		bpf_tail_call(context, &call_handlers, route->handler);
		/* Only reached where the slot is empty. */
		count_drop(route->kind);
	}
	return 0;
}
