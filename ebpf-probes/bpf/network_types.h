/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The kernel's types of sockets, as kernel.h has those of files and processes. */
#ifndef DEFENDER_NETWORK_TYPES_H
#define DEFENDER_NETWORK_TYPES_H

#include "kernel.h"

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define AF_PACKET 17
#define AF_XDP 44

#define SOCK_STREAM 1
#define SOCK_RAW 3
#define SOCK_TYPE_MASK 0xf

#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_MPTCP 262

#define TCP_ESTABLISHED 1 /* include/net/tcp_states.h */
#define TCP_SYN_SENT 2
#define TCP_SYN_RECV 3
#define TCP_CLOSE 7
#define TCP_LISTEN 10

#define SOCK_DONE 1 /* enum sock_flags: the other end has said that it sends no more. */
#define SOCKFS_MAGIC 0x534f434b

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct in6_addr {
	u8 in6_u[16];
};

struct sock_common {
	u32 skc_daddr;
	u32 skc_rcv_saddr;
	u16 skc_dport;
	u16 skc_family;
	volatile unsigned char skc_state;
	int skc_bound_dev_if;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	unsigned long skc_flags;
};

struct socket;

struct sock {
	struct sock_common __sk_common;
	u16 sk_type;
	u16 sk_protocol;
	int sk_err;
	u32 sk_max_ack_backlog;
};

struct socket {
	struct sock *sk;
};

struct inet_sock {
	u16 inet_sport;
};

struct tcp_sock {
	u64 bytes_received;
	u64 bytes_sent;
	u64 bytes_retrans;
};

struct unix_address {
	int len;
	struct {
		u16 sun_family;
		char sun_path[108];
	} name[1];
};

struct unix_sock {
	struct unix_address *addr;
	struct path path;
	struct sock *peer;
};

#pragma clang attribute pop

#endif
