/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Processes by the number that a caller gave. */
#ifndef DEFENDER_SYSTEM_TARGET_H
#define DEFENDER_SYSTEM_TARGET_H

#include "system_types.h"

#define TREE_LEVELS 6
#define TREE_BITS 6
#define TREE_SLOTS (1 << TREE_BITS)
#define TREE_NODE 2 /* Tag of a pointer to a node; include/linux/xarray.h */

/* What a number stands for in the tree at `entry`: NULL for nothing. As radix_tree_lookup does. */
static __always_inline void *look_up(void *entry, u64 number)
{
	for (int level = 0; level < TREE_LEVELS; level++) {
		struct xa_node *node;
		u8 shift = 0;
		u64 slot;

		if (((u64)entry & 3) != TREE_NODE)
			return number ? NULL : entry;
		node = (void *)((u64)entry - TREE_NODE);
		read_field(shift, node->shift);
		slot = number >> (shift & 63);
		if (slot >= TREE_SLOTS)
			return NULL;
		number -= slot << (shift & 63);
		if (bpf_probe_read_kernel(&entry, sizeof(entry), &node->slots[slot]))
			return NULL;
	}
	return NULL;
}

/*
 * The task that a number stands for in the pid namespace of the current task. NULL where there is none. Global, so that
 * the verifier looks at it once.
 */
__noinline u64 task_numbered(u32 number)
{
	struct task_struct *task = bpf_get_current_task();
	struct pid_namespace *namespace = NULL;
	struct hlist_node *link = NULL;
	struct pid *own = NULL;
	struct pid___tasks *found;
	void *root = NULL;
	u32 level = 0;

	read_field(own, task->thread_pid);
	read_field(level, own->level);
	bpf_probe_read_kernel(&namespace, sizeof(namespace),
			      (void *)&own->numbers + level * type_size(struct upid) +
				      field_offset(struct upid___namespaced, ns));
	read_field(root, namespace->idr.idr_rt.xa_head);
	found = look_up(root, number);
	if (!found)
		return 0;
	read_field(link, found->tasks[0].first);
	if (!link)
		return 0;
	return (u64)link - field_offset(struct task_struct___system, pid_links);
}

#endif
