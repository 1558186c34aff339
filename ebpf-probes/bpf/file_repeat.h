/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Opens that say nothing new: a process that opens one file over and over is told once in each window. The others are counted. */
#ifndef DEFENDER_FILE_REPEAT_H
#define DEFENDER_FILE_REPEAT_H

#include "file.h"

#define REPEAT_SLOTS_SHIFT 9

/* How long a window is. 0: all are told. Set by user space. */
volatile const u64 repeat_nanoseconds = 0;

/* One who writes here may be interrupted by another: a digest with another one's time only moves that window's end. */
struct told_open {
	u64 digest;
	u64 time;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1 << REPEAT_SLOTS_SHIFT);
	__type(key, u32);
	__type(value, struct told_open);
} told_opens SEC(".maps");

/* Who acts: the process, the program that it has executed, its credentials, its cgroups, and the root that its paths begin at. */
static __always_inline u64 digest_of_actor(void)
{
	struct task_struct *task = bpf_get_current_task();
	struct process_key process = {};
	u64 program = 0;
	/* As numbers: the verifier lets nobody reckon with a typed pointer. */
	u64 credentials = 0;
	u64 cgroups = 0;
	u64 digest;

	read_process_key_by_address(&process, task);
	read_field(program, task->self_exec_id);
	bpf_probe_read_kernel(&credentials, sizeof(credentials), &task->cred);
	bpf_probe_read_kernel(&cgroups, sizeof(cgroups), &task->cgroups);
	digest = watch_mix(watch_mix(WATCH_SEED, process.start_time), (u64)process.pid << 32 ^ program);
	return watch_mix(watch_mix(watch_mix(digest, credentials), cgroups), (u64)root_of_current().dentry);
}

/* Which file is opened, by which name, and for what. */
static __always_inline u64 digest_of_file(const struct path *path, u32 flags, u32 mode)
{
	struct entry_identity name = identity_of(path->dentry);
	u64 digest = watch_mix(watch_mix(WATCH_SEED, (u64)path->dentry), (u64)path->mnt);

	digest = watch_mix(watch_mix(digest, name.parent), name.hash_len);
	return watch_mix(watch_mix(digest, (u64)flags << 32 | mode), all_changes());
}

/* Whether the same was told within the window; it is counted then. Else it counts as told. */
static __always_inline int is_repeated_open(const struct path *path, u32 flags, u32 mode)
{
	u64 now = bpf_ktime_get_boot_ns();
	struct told_open *told;
	u64 digest;
	u32 slot;

	if (!repeat_nanoseconds)
		return 0;
	digest = watch_mix(digest_of_actor(), digest_of_file(path, flags, mode));
	slot = digest >> (64 - REPEAT_SLOTS_SHIFT);
	told = bpf_map_lookup_elem(&told_opens, &slot);
	if (!told)
		return 0;
	if (told->digest == digest && now - told->time < repeat_nanoseconds) {
		count_folded(FILE_OPEN);
		return 1;
	}
	told->digest = digest;
	told->time = now;
	return 0;
}

#endif
