/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What all programs that report an act have in common: the draft of the record, its head, its sending. */
#ifndef DEFENDER_ACT_H
#define DEFENDER_ACT_H

#include "bpf.h"
#include "outcome.h"
#include "output.h"
#include "path.h"
#include "task.h"

/* A record with two paths and more. Bytes after `used` are free. */
#define ACT_BYTES (2 * (PATH_LIMIT + COMPONENT_LIMIT) + 3 * PATH_LIMIT)

/*
 * Where a record is put together, one for each CPU. A kernel that may preempt a task in the middle of a hook
 * could let another one write here meanwhile: `owner` shows it, and such a record is dropped, counted.
 */
struct act_draft {
	u64 owner;
	u64 used;
	struct path_walk walk;
	u8 bytes[ACT_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct act_draft);
} act_drafts SEC(".maps");

static __always_inline struct act_draft *act_draft(void)
{
	u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&act_drafts, &cpu);
}

/* Fills in who acts. By direct reads where the kernel hands out a typed pointer to the current task. */
static __always_inline void read_actor(struct act_head *head)
{
	if (helper_exists(get_current_task_btf)) {
		struct task_struct *task = bpf_get_current_task_btf();

		head->thread = task->pid;
		read_process_key(&head->process, task);
		read_cgroup(&head->cgroup, task);
		read_identity(&head->identity, task->real_cred);
	} else {
		struct task_struct *task = bpf_get_current_task();

		read_field(head->thread, task->pid);
		read_process_key_by_address(&head->process, task);
		read_cgroup_by_address(&head->cgroup, task);
		read_identity_by_address(&head->identity, task);
	}
}

/* Begins a record of `size` fixed bytes. The rest of them are zero. NULL where there is no draft. */
static __always_inline struct act_draft *begin_act(u32 kind, u64 size)
{
	struct act_draft *draft = act_draft();
	struct act_head *head;

	if (!draft) {
		count_drop(kind);
		return NULL;
	}
	__builtin_memset(draft->bytes, 0, size);
	draft->used = size;
	head = (void *)draft->bytes;
	fill_header(&head->header, kind, 0);
	draft->owner = head->header.time;
	head->call = NO_CALL;
	read_actor(head);
	return draft;
}

static __always_inline void tell_result(struct act_head *head, s64 result)
{
	head->result = result;
	head->header.flags |= ACT_RESULT_KNOWN;
}

/* Sends the record, as far as `used`. */
static __always_inline void send_act(struct act_draft *draft)
{
	struct act_head *head = (void *)draft->bytes;
	u64 size = draft->used;
	u32 kind = head->header.kind;

	keep_bounds(size);
	if (size > ACT_BYTES || draft->owner != head->header.time) {
		count_drop(kind);
		return;
	}
	await_outcome(head);
	head->header.size = size;
	send_to(&act_ring, kind, draft->bytes, size);
}

/* A function of its own without pointers as arguments, because the verifier then checks it once for all callers. */
__noinline int stride_up_act_path(void)
{
	struct act_draft *draft = act_draft();

	if (!draft)
		return WALK_TRUNCATED;
	return stride_up(draft->bytes, &draft->used, ACT_BYTES, &draft->walk);
}

/* Appends a path, as seen from a root. Returns walk_end. */
__noinline int append_act_path(u64 mount, u64 dentry, u64 root_mount, u64 root_dentry)
{
	struct act_draft *draft = act_draft();

	if (!draft)
		return WALK_TRUNCATED;
	begin_walk(&draft->walk, draft->used, mount, dentry, root_mount, root_dentry);
	for (int stride = 0; stride < WALK_STRIDES; stride++) {
		int end = stride_up_act_path();

		if (end != WALK_GOES_ON)
			return end;
	}
	return WALK_TRUNCATED;
}

/* Appends a text of the kernel's with its NUL. Returns its length, 0 where it can't be read. */
static __always_inline u32 append_kernel_text(struct act_draft *draft, const void *text, u32 limit)
{
	u64 used = draft->used;
	long length;

	keep_bounds(used);
	if (used > ACT_BYTES - PATH_LIMIT)
		return 0;
	length = bpf_probe_read_kernel_str(draft->bytes + used, limit, text);
	if (length <= 0)
		return 0;
	draft->used = used + length;
	return length;
}

/* The same from the memory of the caller, who may change it at any time: good for names that are only names. */
static __always_inline u32 append_user_text(struct act_draft *draft, const void *text, u32 limit)
{
	u64 used = draft->used;
	long length;

	keep_bounds(used);
	if (used > ACT_BYTES - PATH_LIMIT)
		return 0;
	length = bpf_probe_read_user_str(draft->bytes + used, limit, text);
	if (length <= 0)
		return 0;
	draft->used = used + length;
	return length;
}

#endif
