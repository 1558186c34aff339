/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Acts that programs of some kinds do all the time: so many of a process are told each second, the others are counted. */
#ifndef DEFENDER_SYSTEM_FOLD_H
#define DEFENDER_SYSTEM_FOLD_H

#include "network_filter.h"

#define FOLD_WINDOW 1000000000ULL /* A second. */
#define FOLD_LIMIT 16
#define NOT_FOLDED 0

struct fold_key {
	u32 process;
	u16 kind;
	u16 detail; /* What else tells acts apart: an operation. */
};

struct fold {
	u64 begun;
	u64 told;   /* Since then. */
	u64 folded; /* Since the last record. */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct fold_key);
	__type(value, struct fold);
} system_folds SEC(".maps");

/*
 * How many acts the record stands for that is to be sent now: this one, and those that were folded before it. 0 where this
 * one is folded. All that are folded are counted by kind as well, and so are those whose process does no more of them.
 */
static __always_inline u64 acts_to_tell(u32 kind, u32 detail)
{
	struct fold_key key = { .process = bpf_get_current_pid_tgid() >> 32, .kind = kind, .detail = detail };
	struct fold *known = bpf_map_lookup_elem(&system_folds, &key);
	u64 now = bpf_ktime_get_boot_ns();
	u64 acts;

	if (!known) {
		struct fold begun = { .begun = now, .told = 1 };

		bpf_map_update_elem(&system_folds, &key, &begun, 0);
		return 1;
	}
	if (now - known->begun > FOLD_WINDOW) {
		known->begun = now;
		known->told = 0;
	}
	if (known->told >= FOLD_LIMIT) {
		known->folded += 1;
		count_folded(kind);
		return 0;
	}
	known->told += 1;
	acts = known->folded + 1;
	known->folded = 0;
	return acts;
}

#endif
