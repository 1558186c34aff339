/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Which acts on sockets leave the kernel. User space fills these maps: collector-ds/src/kernel/network_filter.rs. */
#ifndef DEFENDER_NETWORK_FILTER_H
#define DEFENDER_NETWORK_FILTER_H

#include "file_watch.h"
#include "network.h"

#define BPF_F_NO_PREALLOC 1
#define UNIX_NAME_BYTES 32
#define ABSTRACT_NAME_BYTES 16

enum network_setting_flags {
	SETTING_LOOPBACK = 1 << 0,	  /* Connections within the machine are wanted, too. */
	SETTING_ALL_UNIX = 1 << 1,	  /* Connections to all Unix sockets are. */
	SETTING_IGNORES_NETWORKS = 1 << 2, /* ignored_networks has entries. */
};

struct network_settings {
	u32 wanted; /* A bit for each kind from RECORD_NETWORK on. */
	u32 flags;
	u64 window; /* Nanoseconds. */
	u64 limit;  /* Records of one kind, container and other end in a window; 0 is no limit. */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct network_settings);
} network_settings SEC(".maps");

struct network_prefix {
	u32 length; /* Bits. */
	u8 address[16];
};

struct {
	__uint(type, 11); /* BPF_MAP_TYPE_LPM_TRIE */
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct network_prefix);
	__type(value, u8);
} ignored_networks SEC(".maps");

/* Bits of a port: it is ignored; it is wanted even on loopback. */
#define PORT_IGNORED 1
#define PORT_OF_LOOPBACK 2

/* By port. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, u16);
	__type(value, u8);
} network_ports SEC(".maps");

/*
 * Names of Unix sockets that are wanted: the last component of the path, at most 31 bytes; of abstract ones an @ and
 * the first 16 bytes.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, char[UNIX_NAME_BYTES]);
	__type(value, u8);
} unix_names SEC(".maps");

/* What one container does to one other end. */
struct network_rate_key {
	struct cgroup_key cgroup;
	u8 address[16];
	u16 port;
	u16 kind;
	u32 padding;
};

struct network_rate {
	u64 since;
	u64 count;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct network_rate_key);
	__type(value, struct network_rate);
} network_rates SEC(".maps");

/* NULL where no record of that kind is wanted. */
static __always_inline const struct network_settings *settings_for(u32 kind)
{
	u32 zero = 0;
	const struct network_settings *settings = bpf_map_lookup_elem(&network_settings, &zero);

	return settings && settings->wanted & (1U << (kind - RECORD_NETWORK)) ? settings : NULL;
}

/* Whether nobody wants to hear of that other end. `port` is the one that tells the service. */
static __always_inline int is_ignored_end(const struct network_settings *settings, const u8 address[16], u16 port)
{
	u8 *about_port = bpf_map_lookup_elem(&network_ports, &port);

	if (about_port && *about_port & PORT_IGNORED)
		return 1;
	if (is_loopback(address) && !(settings->flags & SETTING_LOOPBACK))
		return !about_port || !(*about_port & PORT_OF_LOOPBACK);
	if (settings->flags & SETTING_IGNORES_NETWORKS) {
		struct network_prefix whole = { .length = 128 };

		__builtin_memcpy(whole.address, address, 16);
		return bpf_map_lookup_elem(&ignored_networks, &whole) != NULL;
	}
	return 0;
}

/* Whether it goes beyond what is told of one container's dealings with one other end. It is counted then. */
static __always_inline int is_folded(const struct network_settings *settings, u32 kind, const struct cgroup_key *cgroup,
				     const u8 address[16], u16 port, u64 now)
{
	struct network_rate_key key = { .cgroup = *cgroup, .port = port, .kind = kind };
	struct network_rate *rate;

	if (!settings->limit)
		return 0;
	__builtin_memcpy(key.address, address, 16);
	rate = bpf_map_lookup_elem(&network_rates, &key);
	if (!rate || now - rate->since > settings->window) {
		struct network_rate first = { .since = now, .count = 1 };

		bpf_map_update_elem(&network_rates, &key, &first, 0);
		return 0;
	}
	__sync_fetch_and_add(&rate->count, 1);
	if (rate->count <= settings->limit)
		return 0;
	count_folded(kind);
	return 1;
}

/* Sends a record that has an other end, unless it is one too many. */
static __always_inline void send_within_limit(const struct network_settings *settings, struct network_record *record)
{
	struct act_head *head = &record->act;
	/* Of what was taken in, the other end's port says nothing. */
	u16 port = head->header.flags & NETWORK_INBOUND ? record->local.port : record->remote.port;

	if (!is_folded(settings, head->header.kind, &head->cgroup, record->remote.address, port, head->header.time))
		send_network_record(record);
}

#endif
