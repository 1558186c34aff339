/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Records of the domain name system's packets. ebpf-probes/src/decode/dns.rs reads them. */
#ifndef DEFENDER_DNS_H
#define DEFENDER_DNS_H

#include "network.h"

enum dns_flags {
	DNS_TCP = 1 << 4,
	DNS_INBOUND = 1 << 5, /* An answer. */
};

struct dns_record {
	struct act_head act;
	struct network_end local;
	struct network_end remote;
	u32 message_length; /* Of what the packet holds: the message, after its length where TCP carries it. */
	u16 payload_length; /* Of what was copied of it. */
	u16 room;	    /* Bytes that follow; those after the payload mean nothing. */
};

_Static_assert(sizeof(struct dns_record) == 136, "src/decode/dns.rs says the same");

#endif
