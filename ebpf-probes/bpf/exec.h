/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What a process runs, and as whom: read when it begins a program, and when the processes are listed. */
#ifndef DEFENDER_EXEC_H
#define DEFENDER_EXEC_H

#include "bpf.h"
#include "path.h"
#include "task.h"

#define TERMINAL_LIMIT 64     /* tty_struct.name */
#define ARGUMENTS_LIMIT 32768
#define ENVIRONMENT_LIMIT 4096 /* It is scanned by rules at every start: a longer one costs more than it tells. */

/* A path may pass its limit by the component that ends it. */
#define PARTS_LIMIT (2 * (PATH_LIMIT + COMPONENT_LIMIT) + PATH_LIMIT + TERMINAL_LIMIT + \
		     ARGUMENTS_LIMIT + ENVIRONMENT_LIMIT)

/* Where a record is put together before its length is known: in a map. */
struct exec_draft {
	u64 used; /* Bytes of parts. */
	struct path_walk walk;
	struct exec_record record;
	u8 parts[PARTS_LIMIT];
};

/* Appends a string of the kernel's with its NUL. Returns its length, 0 where it can't be read. */
static __always_inline u32 append_string(struct exec_draft *draft, const char *string, u32 limit)
{
	u64 used = draft->used;
	long length;

	keep_bounds(used);
	if (used > PARTS_LIMIT - PATH_LIMIT)
		return 0;
	length = bpf_probe_read_kernel_str(draft->parts + used, limit, string);
	if (length <= 0)
		return 0;
	draft->used = used + length;
	return length;
}

/* Appends to a draft as stride_up tells: a global function of its own for each map of drafts. Returns walk_end. */
typedef int (*append_path)(u64 mount, u64 dentry, u64 root_mount, u64 root_dentry);

static __always_inline void append_paths(struct exec_draft *draft, struct task_struct *task, struct file *file,
					 append_path append)
{
	struct exec_record *record = &draft->record;
	struct fs_struct *fs = task->fs;
	struct path program = {};
	struct path directory = {};
	struct path root = {};
	u64 before = draft->used;
	int end;

	read_field(program, file->f_path);
	read_field(directory, fs->pwd);
	read_field(root, fs->root);

	end = append((u64)program.mnt, (u64)program.dentry, (u64)root.mnt, (u64)root.dentry);
	if (end & WALK_DETACHED)
		record->header.flags |= EXEC_DETACHED;
	if (end & WALK_TRUNCATED)
		record->header.flags |= EXEC_PATH_TRUNCATED;
	if (!(end & (WALK_MET_ROOT | WALK_TRUNCATED)))
		record->header.flags |= EXEC_OUTSIDE_ROOT;
	record->path_length = draft->used - before;

	before = draft->used;
	end = append((u64)directory.mnt, (u64)directory.dentry, (u64)root.mnt, (u64)root.dentry);
	if (end & WALK_TRUNCATED)
		record->header.flags |= EXEC_DIRECTORY_TRUNCATED;
	record->directory_length = draft->used - before;
}

static __always_inline void read_times(struct exec_record *record, struct inode *inode)
{
	struct inode___split_times *split = (void *)inode;
	struct inode___underscored_change *underscored_change = (void *)inode;
	struct inode___underscored_modification *underscored_modification = (void *)inode;
	struct inode___plain_times *plain = (void *)inode;

	if (field_exists(split->i_ctime_sec)) {
		record->changed_seconds = split->i_ctime_sec;
		/* The top bit is a mark of the kernel's (I_CTIME_QUERIED). */
		record->changed_nanoseconds = split->i_ctime_nsec & 0x7fffffff;
	} else if (field_exists(underscored_change->__i_ctime)) {
		record->changed_seconds = underscored_change->__i_ctime.tv_sec;
		record->changed_nanoseconds = underscored_change->__i_ctime.tv_nsec;
	} else {
		record->changed_seconds = plain->i_ctime.tv_sec;
		record->changed_nanoseconds = plain->i_ctime.tv_nsec;
	}
	if (field_exists(split->i_mtime_sec)) {
		record->modified_seconds = split->i_mtime_sec;
		record->modified_nanoseconds = split->i_mtime_nsec;
	} else if (field_exists(underscored_modification->__i_mtime)) {
		record->modified_seconds = underscored_modification->__i_mtime.tv_sec;
		record->modified_nanoseconds = underscored_modification->__i_mtime.tv_nsec;
	} else {
		record->modified_seconds = plain->i_mtime.tv_sec;
		record->modified_nanoseconds = plain->i_mtime.tv_nsec;
	}
}

/* An overlay's inode ends with the kernel's struct inode, and the upper layer's dentry comes next (struct ovl_inode). */
static __always_inline int on_upper_layer(struct inode *inode)
{
	u64 upper_dentry = 0;

	if (inode->i_sb->s_magic != OVERLAYFS_SUPER_MAGIC)
		return 0;
	bpf_probe_read_kernel(&upper_dentry, sizeof(upper_dentry), (void *)inode + type_size(struct inode));
	return upper_dentry != 0;
}

static __always_inline void read_file(struct exec_record *record, struct file *file)
{
	struct inode *inode = file->f_inode;

	record->inode = inode->i_ino;
	record->device = inode->i_sb->s_dev;
	record->mode = inode->i_mode;
	record->owner = inode->i_uid.val;
	record->links = inode->i_nlink;
	read_times(record, inode);
	if (on_upper_layer(inode))
		record->header.flags |= EXEC_UPPER_LAYER;
}

static __always_inline void read_credentials(struct exec_record *record, struct task_struct *task,
					     const struct cred *credentials)
{
	struct task_struct___audited *audited = (void *)task;

	record->uid = credentials->uid.val;
	record->euid = credentials->euid.val;
	record->gid = credentials->gid.val;
	record->egid = credentials->egid.val;
	read_field(record->capabilities_effective, credentials->cap_effective);
	read_field(record->capabilities_permitted, credentials->cap_permitted);
	record->login_uid = field_exists(audited->loginuid) ? audited->loginuid.val : NO_LOGIN_UID;
}

static __always_inline u32 append_terminal(struct exec_draft *draft, struct task_struct *task)
{
	struct tty_struct *terminal = task->signal->tty;

	return terminal ? append_string(draft, terminal->name, TERMINAL_LIMIT) : 0;
}

#endif
