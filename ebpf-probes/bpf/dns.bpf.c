/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What is seen packet by packet: the domain name system, and datagrams of sockets that have no other end. These programs run for every
 * IP packet of a socket of the machine, so most leave after two comparisons. They let every packet pass.
 *
 * A packet leaves in the time of the process that sends it, and comes in anybody's. So an answer is told as of whoever asked
 * by way of the same socket.
 */
#include "dns.h"
#include "network_filter.h"

#define PASS 1
#define DNS_PORT 53
#define EPHEMERAL_PORTS 32768 /* The first of net.ipv4.ip_local_port_range, unless an administrator chose another. */
#define IPPROTO_HOPOPTS 0
#define IPPROTO_ROUTING 43
#define IPPROTO_DSTOPTS 60
#define EXTENSION_HEADERS 4
#define DNS_LEAST 12 /* The header of a message. */
#define TCP_SYN_FLAG 0x02
#define TCP_ACK_FLAG 0x10

/* The kernel's interface, not its insides: include/uapi/linux/bpf.h. */
struct bpf_sock {
	u32 bound_dev_if;
	u32 family;
	u32 type;
	u32 protocol;
	u32 mark;
	u32 priority;
	u32 src_ip4;
	u32 src_ip6[4];
	u32 src_port;
	u16 dst_port; /* Big-endian. */
	u16 zero;
	u32 dst_ip4;
	u32 dst_ip6[4];
	u32 state;
};

struct __sk_buff {
	u32 len;
	u32 pkt_type;
	u32 mark;
	u32 queue_mapping;
	u32 protocol;
	u32 vlan_present;
	u32 vlan_tci;
	u32 vlan_proto;
	u32 priority;
	u32 ingress_ifindex;
	u32 ifindex;
	u32 tc_index;
	u32 cb[5];
	u32 hash;
	u32 tc_classid;
	u32 data;
	u32 data_end;
	u32 napi_id;
	u32 family;
	u32 remote_ip4;
	u32 local_ip4;
	u32 remote_ip6[4];
	u32 local_ip6[4];
	u32 remote_port;
	u32 local_port;
	u32 data_meta;
	u64 flow_keys;
	u64 tstamp;
	u32 wire_len;
	u32 gso_segs;
	struct bpf_sock *sk;
};

static long (*bpf_skb_load_bytes)(const void *skb, u32 offset, void *to, u32 length) = (void *)26;
static u64 (*bpf_get_socket_cookie)(void *context) = (void *)46;

/* Who asked last by way of a socket, by its cookie. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, u64);
	__type(value, struct socket_owner);
} dns_askers SEC(".maps");

/* A socket that sends datagrams to another end. */
struct datagram_key {
	u64 cookie;
	u8 address[16];
	u16 port;
	u16 padding[3];
};

struct datagram_flow {
	u64 began;
	u64 told;
	u64 bytes; /* Since it was told. */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct datagram_key);
	__type(value, struct datagram_flow);
} datagram_flows SEC(".maps");

/* The ends of a packet, and where its content begins. */
struct packet {
	struct network_end source;
	struct network_end destination;
	u32 protocol;
	u32 content;
	u32 length; /* Of the content. */
	u32 flags;  /* Of TCP. */
	u32 family;
};

/* Where the transport's header begins, past those that IPv6 may put between. 0 where it can't be told. */
static __always_inline u32 find_transport_ipv6(struct __sk_buff *skb, struct packet *packet)
{
	u8 next = 0;
	u32 at = 40;

	if (bpf_skb_load_bytes(skb, 6, &next, 1) || bpf_skb_load_bytes(skb, 8, packet->source.address, 16) ||
	    bpf_skb_load_bytes(skb, 24, packet->destination.address, 16))
		return 0;
#pragma clang loop unroll(full)
	for (int step = 0; step < EXTENSION_HEADERS; step++) {
		u8 header[2];

		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS)
			break;
		if (bpf_skb_load_bytes(skb, at, header, sizeof(header)))
			return 0;
		next = header[0];
		at += 8 * (header[1] + 1U);
	}
	packet->protocol = next;
	return at;
}

static __always_inline u32 find_transport_ipv4(struct __sk_buff *skb, struct packet *packet)
{
	u8 header[20];
	u32 address;

	if (bpf_skb_load_bytes(skb, 0, header, sizeof(header)))
		return 0;
	/* A later fragment has no header of the transport. */
	if ((header[6] & 0x1f) || header[7])
		return 0;
	__builtin_memcpy(&address, header + 12, 4);
	put_ipv4(packet->source.address, address);
	__builtin_memcpy(&address, header + 16, 4);
	put_ipv4(packet->destination.address, address);
	packet->protocol = header[9];
	return 4 * (header[0] & 0xf);
}

/* False for packets that are neither UDP nor TCP. */
static __always_inline int read_packet(struct __sk_buff *skb, struct packet *packet)
{
	u8 version = 0;
	u8 header[14] = {};
	u32 at;

	if (bpf_skb_load_bytes(skb, 0, &version, 1))
		return 0;
	packet->family = version >> 4 == 6 ? AF_INET6 : AF_INET;
	at = packet->family == AF_INET6 ? find_transport_ipv6(skb, packet) : find_transport_ipv4(skb, packet);
	if (!at)
		return 0;
	if (packet->protocol == IPPROTO_UDP) {
		if (bpf_skb_load_bytes(skb, at, header, 8))
			return 0;
		packet->content = at + 8;
	} else if (packet->protocol == IPPROTO_TCP) {
		if (bpf_skb_load_bytes(skb, at, header, 14))
			return 0;
		packet->content = at + 4 * (header[12] >> 4);
		packet->flags = header[13];
	} else {
		return 0;
	}
	packet->source.port = header[0] << 8 | header[1];
	packet->destination.port = header[2] << 8 | header[3];
	packet->length = skb->len > packet->content ? skb->len - packet->content : 0;
	return 1;
}

/* As read_actor, in a program that gets no typed pointer to the task. */
static __always_inline void read_sender(struct act_head *head)
{
	struct task_struct *task = bpf_get_current_task();

	read_field(head->thread, task->pid);
	read_process_key_by_address(&head->process, task);
	read_cgroup_by_address(&head->cgroup, task);
	read_identity_by_address(&head->identity, task);
}

static __always_inline void fill_dns_record(struct dns_record *record, const struct packet *packet,
					    const struct socket_owner *owner, int inbound)
{
	fill_header(&record->act.header, RECORD_DNS, 0);
	record->act.call = NO_CALL;
	record->act.result = 0;
	tell_owner(&record->act, owner);
	record->act.header.flags = (packet->protocol == IPPROTO_TCP ? DNS_TCP : 0) | (inbound ? DNS_INBOUND : 0);
	record->local = inbound ? packet->destination : packet->source;
	record->remote = inbound ? packet->source : packet->destination;
	record->message_length = packet->length;
}

/* Reserves a record with room for `bytes` of the message, and sends it with as many as there are. */
#define SEND_DNS(bytes)                                                                                                \
	do {                                                                                                           \
		struct dns_record *record = bpf_ringbuf_reserve(&act_ring, sizeof(*record) + (bytes), 0);              \
		u64 length = packet->length < (bytes) ? packet->length : (bytes);                                      \
                                                                                                                       \
		if (!record) {                                                                                         \
			count_drop(RECORD_DNS);                                                                        \
			return;                                                                                        \
		}                                                                                                      \
		fill_dns_record(record, packet, owner, inbound);                                                       \
		record->act.header.size = sizeof(*record) + (bytes);                                                   \
		record->room = (bytes);                                                                                \
		record->payload_length = 0;                                                                            \
		keep_bounds(length);                                                                                   \
		if (length >= DNS_LEAST) {                                                                             \
			keep_bounds(length);                                                                           \
			if (length <= (bytes) && !bpf_skb_load_bytes(skb, packet->content, record + 1, length))        \
				record->payload_length = length;                                                       \
		}                                                                                                      \
		bpf_ringbuf_submit(record, ring_wakeup(&act_ring));                                                    \
		wake_if_asleep(&act_ring);                                                                             \
	} while (0)

static __always_inline void send_dns(struct __sk_buff *skb, const struct packet *packet,
				     const struct socket_owner *owner, int inbound)
{
	if (packet->length <= 128)
		SEND_DNS(128);
	else if (packet->length <= 512)
		SEND_DNS(512);
	else
		SEND_DNS(2048);
}

/* The first packet of a connection leaves in the time of the process that asked for it; later ones need not. */
static __always_inline void ask(struct __sk_buff *skb, const struct packet *packet)
{
	const struct network_settings *settings = settings_for(RECORD_DNS);
	u64 cookie = bpf_get_socket_cookie(skb);
	struct socket_owner owner = {};
	struct socket_owner *known;
	struct act_head head = {};

	if (!settings)
		return;
	known = packet->protocol == IPPROTO_TCP ? bpf_map_lookup_elem(&dns_askers, &cookie) : NULL;
	if (known) {
		owner = *known;
	} else {
		read_sender(&head);
		own_socket(&owner, &head);
		bpf_map_update_elem(&dns_askers, &cookie, &owner, 0);
	}
	if (packet->length < DNS_LEAST || is_ignored(&owner.cgroup))
		return;
	send_dns(skb, packet, &owner, 0);
}

/* It is sent by a service to one that asked it: of the ports, only the other was chosen anew. */
static __always_inline int is_answer(const struct packet *packet)
{
	return packet->source.port < EPHEMERAL_PORTS && packet->destination.port >= EPHEMERAL_PORTS;
}

/* The port that tells the service. It answers to a new port for each question: all of one address count as one end. */
static __always_inline u16 service_port(const struct packet *packet)
{
	return is_answer(packet) ? packet->source.port : packet->destination.port;
}

/* A datagram to an end that the socket was not connected to: told at first, then once in each window. */
static __always_inline void tell_datagram(struct __sk_buff *skb, const struct packet *packet)
{
	const struct network_settings *settings = settings_for(NETWORK_DATAGRAM);
	struct datagram_key key = { .port = service_port(packet) };
	u64 now = bpf_ktime_get_boot_ns();
	struct datagram_flow *known;
	struct datagram_flow flow = { .began = now, .told = now, .bytes = packet->length };
	struct network_record record;

	if (!settings || is_ignored_end(settings, packet->destination.address, key.port))
		return;
	key.cookie = bpf_get_socket_cookie(skb);
	__builtin_memcpy(key.address, packet->destination.address, 16);
	known = bpf_map_lookup_elem(&datagram_flows, &key);
	if (known) {
		__sync_fetch_and_add(&known->bytes, packet->length);
		if (now - known->told < settings->window)
			return;
		flow = *known;
		known->bytes = 0;
		known->told = now;
	} else {
		struct datagram_flow told = { .began = now, .told = now };

		bpf_map_update_elem(&datagram_flows, &key, &told, 0);
	}
	begin_network_record(&record, NETWORK_DATAGRAM);
	read_sender(&record.act);
	if (is_ignored(&record.act.cgroup))
		return;
	record.family = packet->family;
	record.protocol = packet->protocol;
	record.socket_type = 2; /* SOCK_DGRAM */
	record.local = packet->source;
	record.remote = packet->destination;
	record.bytes_sent = flow.bytes;
	record.duration = now - flow.began;
	record.act.header.flags |= NETWORK_HAS_LOCAL | NETWORK_HAS_REMOTE | NETWORK_HAS_FLOW;
	if (is_answer(packet))
		record.act.header.flags |= NETWORK_INBOUND;
	if (!is_folded(settings, NETWORK_DATAGRAM, &record.act.cgroup, record.remote.address, key.port, now))
		send_network_record(&record);
}

SEC("cgroup_skb/egress")
int network_egress(struct __sk_buff *skb)
{
	struct packet packet = {};
	struct bpf_sock *sk = skb->sk;
	u16 port;

	if (!sk)
		return PASS;
	port = swap16(sk->dst_port);
	if ((port && port != DNS_PORT) || !read_packet(skb, &packet))
		return PASS;
	if (packet.destination.port == DNS_PORT) {
		if (port || packet.protocol == IPPROTO_UDP)
			ask(skb, &packet);
	} else if (!port && packet.protocol == IPPROTO_UDP) {
		tell_datagram(skb, &packet);
	}
	return PASS;
}

SEC("cgroup_skb/ingress")
int network_ingress(struct __sk_buff *skb)
{
	const struct network_settings *settings;
	struct packet packet = {};
	struct bpf_sock *sk = skb->sk;
	struct socket_owner *owner;
	u64 cookie;
	u16 port;

	if (!sk)
		return PASS;
	port = swap16(sk->dst_port);
	if ((port && port != DNS_PORT) || !read_packet(skb, &packet))
		return PASS;
	if (packet.source.port != DNS_PORT || packet.length < DNS_LEAST)
		return PASS;
	settings = settings_for(RECORD_DNS);
	cookie = bpf_get_socket_cookie(skb);
	/* Answers to a socket that asked nothing are nobody's. */
	owner = bpf_map_lookup_elem(&dns_askers, &cookie);
	if (settings && owner && !is_ignored(&owner->cgroup))
		send_dns(skb, &packet, owner, 1);
	return PASS;
}
