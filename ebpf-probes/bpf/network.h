/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Records of acts on sockets. ebpf-probes/src/decode/network.rs reads them. */
#ifndef DEFENDER_NETWORK_H
#define DEFENDER_NETWORK_H

#include "act.h"
#include "network_types.h"

/* In the order of event_model::NetworkAct. */
enum network_act {
	NETWORK_SOCKET = RECORD_NETWORK,
	NETWORK_CONNECT,
	NETWORK_ACCEPT,
	NETWORK_BIND,
	NETWORK_LISTEN,
	NETWORK_DATAGRAM,
	NETWORK_CLOSE,
};

enum network_flags {
	NETWORK_HAS_LOCAL = 1 << 4,
	NETWORK_HAS_REMOTE = 1 << 5,
	NETWORK_HAS_FLOW = 1 << 6,
	NETWORK_INBOUND = 1 << 7,
	NETWORK_HAS_BACKLOG = 1 << 8,
	NETWORK_PATH_TRUNCATED = 1 << 9,
};

/* One end. IPv4 as an IPv6 address that stands for it (::ffff:a.b.c.d), so that all code has one shape. */
struct network_end {
	u8 address[16];
	u16 port; /* In the machine's byte order. */
	u16 padding;
	u32 scope; /* The interface, where the socket is bound to one. */
};

struct network_record {
	struct act_head act;
	u64 bytes_sent;
	u64 bytes_received;
	u64 duration; /* Nanoseconds. */
	struct network_end local;
	struct network_end remote;
	u32 backlog;
	u16 family;
	u16 protocol;
	u16 socket_type;
	/* Lengths of the variable parts. */
	u16 path_length; /* The file of a Unix socket: components upwards, each with its NUL. */
	u16 name_length; /* Its name where it has no file: an abstract one begins with a NUL, and ends without one. */
	u16 padding;
};

/* Who uses a socket: for what happens to it when nobody's time is running. */
struct socket_owner {
	struct process_key process;
	struct cgroup_key cgroup;
	u32 thread;
	u32 padding;
	struct identity identity;
};

_Static_assert(sizeof(struct network_end) == 24, "src/decode/network.rs says the same");
_Static_assert(sizeof(struct network_record) == 168, "src/decode/network.rs says the same");

static __always_inline void begin_network_record(struct network_record *record, u32 kind)
{
	__builtin_memset(record, 0, sizeof(*record));
	fill_header(&record->act.header, kind, sizeof(*record));
	record->act.call = NO_CALL;
}

static __always_inline void tell_owner(struct act_head *head, const struct socket_owner *owner)
{
	head->process = owner->process;
	head->cgroup = owner->cgroup;
	head->thread = owner->thread;
	head->identity = owner->identity;
}

static __always_inline void own_socket(struct socket_owner *owner, const struct act_head *head)
{
	owner->process = head->process;
	owner->cgroup = head->cgroup;
	owner->thread = head->thread;
	owner->padding = 0;
	owner->identity = head->identity;
}

static __always_inline u16 swap16(u16 value)
{
	return __builtin_bswap16(value);
}

static __always_inline void put_ipv4(u8 address[16], u32 ipv4)
{
	__builtin_memset(address, 0, 10);
	address[10] = 0xff;
	address[11] = 0xff;
	__builtin_memcpy(address + 12, &ipv4, 4);
}

static __always_inline int is_ipv4(const u8 address[16])
{
	u64 high;
	u32 low;

	__builtin_memcpy(&high, address, 8);
	__builtin_memcpy(&low, address + 8, 4);
	return !high && low == 0xffff0000; /* Both byte orders that we know are little-endian. */
}

static __always_inline int is_no_address(const u8 address[16])
{
	u64 high, low;
	u32 ipv4;

	__builtin_memcpy(&high, address, 8);
	__builtin_memcpy(&low, address + 8, 8);
	__builtin_memcpy(&ipv4, address + 12, 4);
	return (!high && !low) || (is_ipv4(address) && !ipv4);
}

static __always_inline int is_loopback(const u8 address[16])
{
	u64 high, low;

	if (is_ipv4(address))
		return address[12] == 127;
	__builtin_memcpy(&high, address, 8);
	__builtin_memcpy(&low, address + 8, 8);
	return !high && low == 1ULL << 56;
}

/* Both ends as the kernel's socket holds them. Those that it has not are marked by their absence. */
static __always_inline void read_ends(struct network_record *record, struct sock *sk)
{
	struct sock_common *common = (void *)sk + field_offset(struct sock, __sk_common);
	u32 scope = 0;
	u16 port = 0;

	read_field(record->family, common->skc_family);
	read_field(record->socket_type, sk->sk_type);
	read_field(record->protocol, sk->sk_protocol);
	if (record->family == AF_INET6) {
		bpf_probe_read_kernel(record->local.address, 16, &common->skc_v6_rcv_saddr);
		bpf_probe_read_kernel(record->remote.address, 16, &common->skc_v6_daddr);
		read_field(scope, common->skc_bound_dev_if);
		record->local.scope = scope;
		record->remote.scope = scope;
	} else {
		u32 address = 0;

		read_field(address, common->skc_rcv_saddr);
		put_ipv4(record->local.address, address);
		read_field(address, common->skc_daddr);
		put_ipv4(record->remote.address, address);
	}
	if (record->socket_type != SOCK_RAW) {
		/* Not skc_num, which is gone by the time a connection is. */
		read_field(port, ((struct inet_sock *)sk)->inet_sport);
		record->local.port = swap16(port);
		port = 0;
		read_field(port, common->skc_dport);
		record->remote.port = swap16(port);
	}
	if (record->local.port || !is_no_address(record->local.address))
		record->act.header.flags |= NETWORK_HAS_LOCAL;
	if (!is_no_address(record->remote.address))
		record->act.header.flags |= NETWORK_HAS_REMOTE;
}

static __always_inline int is_internet(u16 family)
{
	return family == AF_INET || family == AF_INET6;
}

static __always_inline int is_tcp(const struct network_record *record)
{
	return record->protocol == IPPROTO_TCP || record->protocol == IPPROTO_MPTCP;
}

static __always_inline void send_network_record(struct network_record *record)
{
	send_to(&act_ring, record->act.header.kind, record, sizeof(*record));
}

#endif
