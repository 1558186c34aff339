/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A socket takes the place of standard input, output or error: what shells do that talk to somebody far away. */
#include "system.h"

#define DUP_OF_X86_64 32
#define DUP_OF_ARM64 23
#define CALL_DUP DUP_OF_X86_64, DUP_OF_ARM64, 41
#define CALL_FCNTL 72, 25, 55
#define CALL_FCNTL64 72, 25, 221
#define CALL_PIDFD_GETFD 438, 438, 438
#define LAST_STANDARD 2
#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10

/* Values of SYSTEM_DUP. */
enum dup_values {
	DUP_OLD,
	DUP_NEW,
	DUP_FAMILY_PORTS, /* The family, the ports of the other end and of this one: 16 bits each from the lowest. */
	DUP_REMOTE,	  /* Two values. IPv4 addresses take the first four bytes. */
	DUP_LOCAL = DUP_REMOTE + 2,
};

struct ends {
	u8 remote[16];
	u8 local[16];
};

static __always_inline void tell_ends(struct act_draft *draft, struct sock___end *socket, u16 family)
{
	u64 remote[2] = {}, local[2] = {};
	u16 remote_port = 0, local_port = 0;

	if (family == AF_INET) {
		bpf_probe_read_kernel(remote, 4, &socket->__sk_common.skc_daddr);
		bpf_probe_read_kernel(local, 4, &socket->__sk_common.skc_rcv_saddr);
	} else if (family == AF_INET6) {
		bpf_probe_read_kernel(remote, 16, &socket->__sk_common.skc_v6_daddr);
		bpf_probe_read_kernel(local, 16, &socket->__sk_common.skc_v6_rcv_saddr);
	}
	if (family == AF_INET || family == AF_INET6) {
		read_field(remote_port, socket->__sk_common.skc_dport);
		read_field(local_port, socket->__sk_common.skc_num);
		tell(draft, DUP_REMOTE, remote[0]);
		tell(draft, DUP_REMOTE + 1, remote[1]);
		tell(draft, DUP_LOCAL, local[0]);
		tell(draft, DUP_LOCAL + 1, local[1]);
	}
	tell(draft, DUP_FAMILY_PORTS,
	     family | (u64)__builtin_bswap16(remote_port) << 16 | (u64)local_port << 32);
}

/* Unix sockets are what service managers and container runtimes hand to programs as their output. */
static __always_inline int report_dup(const struct call *call, u32 new, struct file *file, int ended)
{
	struct socket___end *socket = NULL;
	struct sock___end *end = NULL;
	struct inode *inode = NULL;
	struct act_draft *draft;
	u16 family = 0;
	u16 mode = 0;

	if (new > LAST_STANDARD || !file)
		return 0;
	read_field(inode, file->f_inode);
	read_field(mode, inode->i_mode);
	if ((mode & S_IFMT) != S_IFSOCK)
		return 0;
	read_field(socket, file->private_data);
	read_field(end, socket->sk);
	read_field(family, end->__sk_common.skc_family);
	if (family == AF_UNIX)
		return 0;
	draft = begin_system(SYSTEM_DUP, call, ended);
	if (!draft)
		return 0;
	tell(draft, DUP_OLD, (u32)call->arguments[0]);
	tell(draft, DUP_NEW, new);
	tell_ends(draft, end, family);
	if (ended)
		tell_descriptor_is_shared(draft);
	send_act(draft);
	return 0;
}

/* dup2 and dup3 have put the file there. (files, file, descriptor, flags) */
SEC("fexit/do_dup2")
int system_dup2_returned(u64 *context)
{
	struct call call;

	if ((u32)context[2] > LAST_STANDARD)
		return 0;
	current_call(&call);
	call.result = (int)context[4];
	return report_dup(&call, context[2], (void *)context[1], 1);
}

/* Every new descriptor of the machine comes here: be quick. (descriptor, file) */
SEC("fentry/fd_install")
int system_dup_function(u64 *context)
{
	struct call call;

	if ((u32)context[0] > LAST_STANDARD)
		return 0;
	current_call(&call);
	if (!is_call(&call, CALL_DUP) && !is_call(&call, CALL_FCNTL) && !is_call(&call, CALL_FCNTL64) &&
	    !is_call(&call, CALL_PIDFD_GETFD))
		return 0;
	/* Nothing can go wrong from here on: the calls return the descriptor. */
	call.result = (u32)context[0];
	return report_dup(&call, context[0], (void *)context[1], 1);
}

#define F_DUPFD 0
#define F_DUPFD_CLOEXEC 1030

/* Whether anybody wants duplicates of descriptors by the end of calls. */
static __always_inline int is_dup_routed(void)
{
	u32 number = field_exists(((struct pt_regs___x86 *)0)->orig_ax) ? DUP_OF_X86_64 : DUP_OF_ARM64;
	struct call_route *route = bpf_map_lookup_elem(&call_routes, &number);

	return route && route->handler;
}

static __always_inline int dup_ended(const struct call *call)
{
	if (call->result < 0 || call->result > LAST_STANDARD)
		return 0;
	return report_dup(call, call->result, open_file(call->result), 1);
}

SEC("tp_btf/sys_exit")
int system_dup_call(u64 *context)
{
	struct call call = {};

	if ((s64)context[1] < 0 || context[1] > LAST_STANDARD || !read_call(&call, context))
		return 0;
	if (is_call(&call, CALL_FCNTL) || is_call(&call, CALL_FCNTL64)) {
		u32 command = call.arguments[1];

		if (command != F_DUPFD && command != F_DUPFD_CLOEXEC)
			return 0;
	}
	return dup_ended(&call);
}
