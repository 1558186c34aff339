/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * TCP, by the states that its sockets go through: at no cost to any system call, whichever way the call was made. A connection's
 * later states often come while another process or none runs, so that its owner is kept from its beginning.
 */
#include "call.h"
#include "network_filter.h"

enum flow_state {
	FLOW_ESTABLISHED = 1 << 0,
	FLOW_INBOUND = 1 << 1,
	FLOW_TRYING_TOLD = 1 << 2,
};

struct flow {
	struct socket_owner owner;
	u64 began;
	u64 state;
};

/* By the address of the socket. Connections that nobody wants to hear of have no entry. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, struct flow);
} flows SEC(".maps");

/* Begins a record of something that happened to a flow. NULL where it is not wanted. */
static __always_inline const struct network_settings *begin_flow_record(struct network_record *record, u32 kind,
									struct sock *sk, const struct flow *flow)
{
	const struct network_settings *settings = settings_for(kind);

	if (!settings)
		return NULL;
	begin_network_record(record, kind);
	tell_owner(&record->act, &flow->owner);
	read_ends(record, sk);
	return settings;
}

/* The connection is about to be asked for, in the time of the process that wants it. This end has no port yet. */
static __always_inline void connection_begins(struct sock *sk)
{
	const struct network_settings *settings = settings_for(NETWORK_CONNECT);
	struct network_record record;
	struct flow flow = {};
	u64 key = (u64)sk;

	settings = settings ? settings : settings_for(NETWORK_CLOSE);
	if (!settings)
		return;
	begin_network_record(&record, NETWORK_CONNECT);
	read_ends(&record, sk);
	if (is_ignored_end(settings, record.remote.address, record.remote.port))
		return;
	read_actor(&record.act);
	if (is_ignored(&record.act.cgroup))
		return;
	own_socket(&flow.owner, &record.act);
	flow.began = record.act.header.time;
	bpf_map_update_elem(&flows, &key, &flow, 0);
}

static __always_inline void tell_connect(struct sock *sk, const struct flow *flow, int known, s64 result)
{
	const struct network_settings *settings;
	struct network_record record;

	settings = begin_flow_record(&record, NETWORK_CONNECT, sk, flow);
	if (!settings)
		return;
	if (known)
		tell_result(&record.act, result);
	send_within_limit(settings, &record);
}

static __always_inline void connection_stands(struct sock *sk, int old)
{
	u64 key = (u64)sk;
	struct flow *flow = bpf_map_lookup_elem(&flows, &key);

	if (!flow)
		return;
	if (old == TCP_SYN_RECV) {
		/* Taken in: what has this address in the table is a socket that is gone. */
		bpf_map_delete_elem(&flows, &key);
		return;
	}
	flow->state |= FLOW_ESTABLISHED;
	tell_connect(sk, flow, 1, 0);
}

static __always_inline void tell_close(struct sock *sk, const struct flow *flow)
{
	const struct network_settings *settings;
	struct tcp_sock *tcp = (struct tcp_sock *)sk;
	struct network_record record;
	unsigned long flags = 0;
	u64 resent = 0;

	settings = begin_flow_record(&record, NETWORK_CLOSE, sk, flow);
	if (!settings)
		return;
	read_field(record.bytes_sent, tcp->bytes_sent);
	read_field(resent, tcp->bytes_retrans);
	read_field(record.bytes_received, tcp->bytes_received);
	read_field(flags, sk->__sk_common.skc_flags);
	record.bytes_sent -= resent;
	/* The other end's last word takes a number, but is no byte. */
	if (record.bytes_received && flags & (1UL << SOCK_DONE))
		record.bytes_received--;
	record.duration = record.act.header.time - flow->began;
	record.act.header.flags |= NETWORK_HAS_FLOW;
	if (flow->state & FLOW_INBOUND)
		record.act.header.flags |= NETWORK_INBOUND;
	tell_result(&record.act, 0);
	send_within_limit(settings, &record);
}

static __always_inline void connection_ends(struct sock *sk)
{
	u64 key = (u64)sk;
	struct flow *entry = bpf_map_lookup_elem(&flows, &key);
	struct flow flow;
	int error = 0;

	if (!entry)
		return;
	flow = *entry;
	bpf_map_delete_elem(&flows, &key);
	if (flow.state & FLOW_ESTABLISHED) {
		tell_close(sk, &flow);
		return;
	}
	/* Without an error the process itself gave up: there is no outcome. */
	read_field(error, sk->sk_err);
	if (error || !(flow.state & FLOW_TRYING_TOLD))
		tell_connect(sk, &flow, error != 0, -error);
}

/* In the time of the process. A socket that listens without an address of its own gets its port a moment later: 0 here. */
static __always_inline void listening_begins(struct sock *sk)
{
	const struct network_settings *settings = settings_for(NETWORK_LISTEN);
	struct network_record record;

	if (!settings)
		return;
	begin_network_record(&record, NETWORK_LISTEN);
	read_actor(&record.act);
	if (is_ignored(&record.act.cgroup))
		return;
	read_ends(&record, sk);
	read_field(record.backlog, sk->sk_max_ack_backlog);
	record.act.header.flags |= NETWORK_HAS_BACKLOG | NETWORK_HAS_LOCAL;
	send_network_record(&record);
}

SEC("tp_btf/inet_sock_set_state")
int network_tcp_state(u64 *context)
{
	struct sock *sk = (struct sock *)context[0];
	int old = context[1];

	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	switch ((int)context[2]) {
	case TCP_SYN_SENT:
		connection_begins(sk);
		break;
	case TCP_ESTABLISHED:
		connection_stands(sk, old);
		break;
	case TCP_CLOSE:
		connection_ends(sk);
		break;
	case TCP_LISTEN:
		listening_begins(sk);
		break;
	}
	return 0;
}

/* Nobody answered for a second: the outcome may take minutes, so that the attempt is told now. */
SEC("tp_btf/tcp_retransmit_skb")
int network_tcp_trying(u64 *context)
{
	struct sock *sk = (struct sock *)context[0];
	u64 key = (u64)sk;
	struct flow *flow;

	if (sk->__sk_common.skc_state != TCP_SYN_SENT)
		return 0;
	flow = bpf_map_lookup_elem(&flows, &key);
	if (!flow || flow->state & FLOW_TRYING_TOLD)
		return 0;
	flow->state |= FLOW_TRYING_TOLD;
	tell_connect(sk, flow, 0, 0);
	return 0;
}

/* A connection is handed to the process that listens. */
static __always_inline int report_accept(struct sock *sk, const struct call *call)
{
	const struct network_settings *settings = settings_for(NETWORK_ACCEPT);
	int reports = settings != NULL;
	struct network_record record;
	struct flow flow = {};
	u8 state = TCP_CLOSE;
	u64 key = (u64)sk;

	settings = settings ? settings : settings_for(NETWORK_CLOSE);
	if (!settings)
		return 0;
	begin_network_record(&record, NETWORK_ACCEPT);
	read_ends(&record, sk);
	if (!is_internet(record.family) || !is_tcp(&record))
		return 0;
	if (is_ignored_end(settings, record.remote.address, record.local.port))
		return 0;
	read_actor(&record.act);
	if (is_ignored(&record.act.cgroup))
		return 0;
	bpf_probe_read_kernel(&state, sizeof(state), (void *)&sk->__sk_common.skc_state);
	if (state != TCP_CLOSE) {
		own_socket(&flow.owner, &record.act);
		flow.began = record.act.header.time;
		flow.state = FLOW_ESTABLISHED | FLOW_INBOUND;
		bpf_map_update_elem(&flows, &key, &flow, 0);
	}
	tell_result(&record.act, 0);
	if (call)
		tell_call(&record.act, call);
	record.act.header.flags |= NETWORK_INBOUND;
	if (reports)
		send_within_limit(settings, &record);
	return 0;
}

SEC("lsm/sock_graft")
int network_accept_lsm(u64 *context)
{
	return report_accept((struct sock *)context[0], NULL);
}

SEC("fentry/security_sock_graft")
int network_accept_function(u64 *context)
{
	return report_accept((struct sock *)context[0], NULL);
}

SEC("tp_btf/sys_exit")
int network_accept_call(u64 *context)
{
	struct call call = {};
	struct sock *sk;

	if (!read_call(&call, context) || call.result < 0)
		return 0;
	sk = socket_of(call.result);
	return sk ? report_accept(sk, &call) : 0;
}
