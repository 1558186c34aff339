/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Acts on sockets. TCP is in network_tcp.bpf.c, what is seen packet by packet in dns.bpf.c. */
#include "call.h"
#include "network_filter.h"

/* The socket of a descriptor of the current process. NULL where it is none. */
static __always_inline struct sock *socket_of(u32 descriptor)
{
	struct file *file = open_file(descriptor);
	struct super_block *superblock = NULL;
	struct inode *inode = NULL;
	struct socket *socket = NULL;
	struct sock *sk = NULL;
	unsigned long magic = 0;

	if (!file)
		return NULL;
	read_field(inode, file->f_inode);
	read_field(superblock, inode->i_sb);
	read_field(magic, superblock->s_magic);
	if (magic != SOCKFS_MAGIC)
		return NULL;
	bpf_probe_read_kernel(&socket, sizeof(socket), &file->private_data);
	read_field(sk, socket->sk);
	return sk;
}

/* A raw or packet socket is made. Netlink's, of which every tool makes some, count as raw too: they are not meant. */
static __always_inline int reports_socket(u32 family, u32 type)
{
	return family == AF_PACKET || family == AF_XDP || (is_internet(family) && (type & SOCK_TYPE_MASK) == SOCK_RAW);
}

static __always_inline int report_socket(u32 family, u32 type, u32 protocol, const struct call *call)
{
	const struct network_settings *settings;
	struct network_record record;

	if (!reports_socket(family, type))
		return 0;
	settings = settings_for(NETWORK_SOCKET);
	if (!settings)
		return 0;
	begin_network_record(&record, NETWORK_SOCKET);
	read_actor(&record.act);
	if (is_ignored(&record.act.cgroup))
		return 0;
	record.family = family;
	record.socket_type = type & SOCK_TYPE_MASK;
	record.protocol = family == AF_PACKET ? swap16(protocol) : protocol;
	if (call)
		tell_call(&record.act, call);
	send_network_record(&record);
	return 0;
}

/* It was made, or the security modules refused it. (socket, family, type, protocol, for the kernel) */
SEC("fexit/security_socket_post_create")
int network_socket_returned(u64 *context)
{
	struct call call = { .number = NO_CALL, .result = (int)context[5] };

	return report_socket(context[1], context[2], context[3], &call);
}

SEC("lsm/socket_post_create")
int network_socket_lsm(u64 *context)
{
	return report_socket(context[1], context[2], context[3], NULL);
}

SEC("fentry/security_socket_post_create")
int network_socket_function(u64 *context)
{
	return report_socket(context[1], context[2], context[3], NULL);
}

SEC("tp_btf/sys_exit")
int network_socket_call(u64 *context)
{
	struct call call = {};

	if (!read_call(&call, context))
		return 0;
	return report_socket(call.arguments[0], call.arguments[1], call.arguments[2], &call);
}

/* A socket is given its address. `call` is NULL where the hook is no system call. */
static __always_inline int report_bind(struct sock *sk, s64 result, const struct call *call)
{
	const struct network_settings *settings = settings_for(NETWORK_BIND);
	struct network_record record;

	if (!settings || !sk)
		return 0;
	begin_network_record(&record, NETWORK_BIND);
	read_ends(&record, sk);
	if (!is_internet(record.family))
		return 0;
	read_actor(&record.act);
	if (is_ignored(&record.act.cgroup))
		return 0;
	/* The address that any interface has is an address, too. */
	if (!result)
		record.act.header.flags |= NETWORK_HAS_LOCAL;
	tell_result(&record.act, result);
	if (call)
		tell_call(&record.act, call);
	send_network_record(&record);
	return 0;
}

static __always_inline int report_bind_of(struct socket *socket, s64 result)
{
	struct sock *sk = NULL;

	read_field(sk, socket->sk);
	return report_bind(sk, result, NULL);
}

SEC("fexit/inet_bind")
int network_bind_ipv4(u64 *context)
{
	return report_bind_of((struct socket *)context[0], (int)context[3]);
}

SEC("fexit/inet6_bind")
int network_bind_ipv6(u64 *context)
{
	return report_bind_of((struct socket *)context[0], (int)context[3]);
}

SEC("tp_btf/sys_exit")
int network_bind_call(u64 *context)
{
	struct call call = {};

	if (!read_call(&call, context))
		return 0;
	return report_bind(socket_of(call.arguments[0]), call.result, &call);
}

/* A datagram or raw socket was given its other end. */
static __always_inline int report_datagram_connect(struct sock *sk, const struct call *call)
{
	const struct network_settings *settings = settings_for(NETWORK_CONNECT);
	struct network_record record;

	if (!settings)
		return 0;
	begin_network_record(&record, NETWORK_CONNECT);
	read_ends(&record, sk);
	if (!is_internet(record.family) || record.socket_type == SOCK_STREAM ||
	    !(record.act.header.flags & NETWORK_HAS_REMOTE))
		return 0;
	if (is_ignored_end(settings, record.remote.address, record.remote.port))
		return 0;
	read_actor(&record.act);
	if (is_ignored(&record.act.cgroup))
		return 0;
	tell_result(&record.act, 0);
	if (call)
		tell_call(&record.act, call);
	send_within_limit(settings, &record);
	return 0;
}

SEC("fexit/inet_dgram_connect")
int network_connect_datagram(u64 *context)
{
	struct socket *socket = (struct socket *)context[0];
	struct sock *sk = NULL;

	if ((int)context[4])
		return 0;
	read_field(sk, socket->sk);
	return sk ? report_datagram_connect(sk, NULL) : 0;
}

/* The name under which connections to a Unix socket are asked for: see unix_names. */
static __always_inline int is_wanted_unix(const struct network_settings *settings, struct dentry *dentry,
					  struct unix_address *address)
{
	char name[UNIX_NAME_BYTES] = {};

	if (settings->flags & SETTING_ALL_UNIX)
		return 1;
	if (dentry) {
		const unsigned char *last = NULL;

		read_field(last, dentry->d_name.name);
		bpf_probe_read_kernel_str(name, sizeof(name), last);
	} else {
		name[0] = '@';
		bpf_probe_read_kernel(name + 1, ABSTRACT_NAME_BYTES, (void *)&address->name[0].sun_path[0] + 1);
	}
	return bpf_map_lookup_elem(&unix_names, name) != NULL;
}

/* Appends the name that a Unix socket was bound to, which is not a file's. */
static __always_inline void append_unix_name(struct act_draft *draft, struct network_record *record,
					     struct unix_address *address)
{
	u64 used = draft->used;
	u64 length;
	int whole = 0;

	read_field(whole, address->len);
	length = (u32)whole - sizeof(u16); /* The family. */
	keep_bounds(used);
	if (used > ACT_BYTES - PATH_LIMIT)
		return;
	keep_bounds(length);
	if (length > 108)
		return;
	if (bpf_probe_read_kernel(draft->bytes + used, length, &address->name[0].sun_path))
		return;
	record->name_length = length;
	draft->used = used + length;
}

/*
 * A connection to the Unix socket `other`, as the one that listens bound it: whatever links or mounts the caller came by.
 * Its path is that of the listener's mount namespace.
 */
static __always_inline int report_unix_connect(struct sock *other, u32 type, const struct call *call)
{
	const struct network_settings *settings = settings_for(NETWORK_CONNECT);
	struct unix_sock *listener = (struct unix_sock *)other;
	struct unix_address *address = NULL;
	struct network_record *record;
	struct act_draft *draft;
	struct path path = {};

	if (!settings || !other)
		return 0;
	read_field(address, listener->addr);
	read_field(path, listener->path);
	if (!address || !is_wanted_unix(settings, path.dentry, address))
		return 0;
	draft = begin_act(NETWORK_CONNECT, sizeof(*record));
	if (!draft)
		return 0;
	record = (void *)draft->bytes;
	if (is_ignored(&record->act.cgroup))
		return 0;
	record->family = AF_UNIX;
	record->socket_type = type;
	if (path.dentry) {
		struct task_struct *task = bpf_get_current_task();
		struct fs_struct *fs = NULL;
		struct path root = {};
		u64 before = draft->used;

		read_field(fs, task->fs);
		read_field(root, fs->root);
		if (append_act_path((u64)path.mnt, (u64)path.dentry, (u64)root.mnt, (u64)root.dentry) & WALK_TRUNCATED)
			record->act.header.flags |= NETWORK_PATH_TRUNCATED;
		record->path_length = draft->used - before;
	} else {
		append_unix_name(draft, record, address);
	}
	if (call)
		tell_call(&record->act, call);
	send_act(draft);
	return 0;
}

static __always_inline int report_unix_stream(struct sock *sk, struct sock *other, const struct call *call)
{
	u16 type = 0;

	read_field(type, sk->sk_type);
	return report_unix_connect(other, type, call);
}

/* The security modules have the last word: what they permit is connected. (socket, the one that listens, the new end) */
SEC("fexit/security_unix_stream_connect")
int network_connect_unix_returned(u64 *context)
{
	struct call call = { .number = NO_CALL, .result = (int)context[3] };

	return report_unix_stream((struct sock *)context[0], (struct sock *)context[1], &call);
}

SEC("lsm/unix_stream_connect")
int network_connect_unix_lsm(u64 *context)
{
	return report_unix_stream((struct sock *)context[0], (struct sock *)context[1], NULL);
}

SEC("fentry/security_unix_stream_connect")
int network_connect_unix_function(u64 *context)
{
	return report_unix_stream((struct sock *)context[0], (struct sock *)context[1], NULL);
}

/* What connect(2) did, where no better hook tells. TCP has its own. */
SEC("tp_btf/sys_exit")
int network_connect_call(u64 *context)
{
	struct sock *sk, *other = NULL;
	struct call call = {};
	u16 family = 0;
	u16 type = 0;

	if (!read_call(&call, context) || call.result)
		return 0;
	sk = socket_of(call.arguments[0]);
	if (!sk)
		return 0;
	read_field(family, sk->__sk_common.skc_family);
	read_field(type, sk->sk_type);
	if (family != AF_UNIX)
		return type == SOCK_STREAM ? 0 : report_datagram_connect(sk, &call);
	/* The listener's end of the connection: it has the listener's name. */
	read_field(other, ((struct unix_sock *)sk)->peer);
	return report_unix_connect(other, type, &call);
}
