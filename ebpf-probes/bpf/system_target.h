/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Processes that something is done to: by the number or the descriptor that a caller gave, or as the kernel asks for access to them. */
#ifndef DEFENDER_SYSTEM_TARGET_H
#define DEFENDER_SYSTEM_TARGET_H

#include "call.h"
#include "system_types.h"

#define TREE_LEVELS 6
#define TREE_BITS 6
#define TREE_SLOTS (1 << TREE_BITS)
#define TREE_NODE 2 /* Tag of a pointer to a node; include/linux/xarray.h */

/* include/linux/ptrace.h */
#define PTRACE_MODE_ATTACH 0x02
#define PTRACE_MODE_NOAUDIT 0x04

/* include/uapi/linux/magic.h */
#define ANON_INODE_FS_MAGIC 0x09041934
#define PID_FS_MAGIC 0x50494446

#define PIDFD_NAME 0x005d64666469705bULL /* "[pidfd]" */

/* Reading /proc asks for access too, and far more often. (child, mode) */
static __always_inline int is_attach(u64 *context)
{
	u64 mode = context[1];

	return (mode & PTRACE_MODE_ATTACH) && !(mode & PTRACE_MODE_NOAUDIT);
}

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

/* The task that bears a number. NULL where it has ended. */
static __always_inline u64 task_of(struct pid___tasks *number)
{
	struct hlist_node *link = NULL;

	read_field(link, number->tasks[0].first);
	return link ? (u64)link - field_offset(struct task_struct___system, pid_links) : 0;
}

/*
 * The task that a number stands for in the pid namespace of the current task. NULL where there is none. Global, so that
 * the verifier looks at it once.
 */
__noinline u64 task_numbered(u32 number)
{
	struct task_struct *task = bpf_get_current_task();
	struct pid_namespace *namespace = NULL;
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
	return found ? task_of(found) : 0;
}

/* Whether a file of no file system is a process's descriptor. */
static __always_inline int is_named_pidfd(struct file *file)
{
	struct dentry *dentry = NULL;
	const unsigned char *text = NULL;
	u64 name = 0;

	read_field(dentry, file->f_path.dentry);
	read_field(text, dentry->d_name.name);
	bpf_probe_read_kernel_str(&name, sizeof(name), text);
	return name == PIDFD_NAME;
}

/*
 * The task that a descriptor of the current task stands for, if it is one of a process (pidfd_open). NULL where it is not.
 * They have a file system of their own since 6.9.
 */
__noinline u64 task_of_descriptor(u32 descriptor)
{
	struct file *file = open_file(descriptor);
	struct super_block *superblock = NULL;
	struct pid___tasks *found = NULL;
	struct inode *inode = NULL;
	unsigned long magic = 0;

	if (!file)
		return 0;
	read_field(inode, file->f_inode);
	read_field(superblock, inode->i_sb);
	read_field(magic, superblock->s_magic);
	if (magic == PID_FS_MAGIC)
		bpf_probe_read_kernel(&found, sizeof(found), &((struct inode___private *)inode)->i_private);
	else if (magic == ANON_INODE_FS_MAGIC && is_named_pidfd(file))
		bpf_probe_read_kernel(&found, sizeof(found), &file->private_data);
	return found ? task_of(found) : 0;
}

#endif
