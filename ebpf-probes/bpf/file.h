/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Records of acts on files. ebpf-probes/src/decode/file.rs reads them. */
#ifndef DEFENDER_FILE_H
#define DEFENDER_FILE_H

#include "act.h"

/* In the order of event_model::FileAct. */
enum file_act {
	FILE_OPEN = RECORD_FILE,
	FILE_RENAME,
	FILE_LINK,
	FILE_SYMLINK,
	FILE_UNLINK,
	FILE_RMDIR,
	FILE_MKDIR,
	FILE_MKNOD,
	FILE_TRUNCATE,
	FILE_CHMOD,
	FILE_CHOWN,
	FILE_UTIMES,
	FILE_SETXATTR,
	FILE_CHATTR,
	FILE_MOUNT,
	FILE_UMOUNT,
	FILE_MOVE_MOUNT,
};

enum file_flags {
	FILE_CREATED = 1 << 4,	 /* The open made the file. */
	FILE_DETACHED = 1 << 5,	 /* The file lies in no mounted tree. */
	FILE_TRUNCATED = 1 << 6, /* The path lacks its upper part. */
	FILE_OTHER_TRUNCATED = 1 << 7,
	FILE_HAS_OWNER = 1 << 8,
	FILE_HAS_GROUP = 1 << 9,
};

struct file_record {
	struct act_head act;
	u64 flags;
	u64 inode;
	u32 device;
	u32 mode;
	u32 owner;
	u32 group;
	/* Lengths of the variable parts. */
	u16 path_length;       /* Components upwards, each with its NUL: of the file, or of what `text` is relative to. */
	u16 text_length;       /* The caller's path, with its NUL, where the kernel's own is not to be had. */
	u16 other_length;      /* As path, of the second path. */
	u16 other_text_length; /* As text. */
	u16 name_length;       /* With its NUL. */
	u16 padding[3];
};

_Static_assert(sizeof(struct file_record) == 112, "src/layout.rs says the same");

/* Appends the path of (mount, dentry) as the current process sees it. Returns the walk's end. */
static __always_inline int append_path_in_view(u64 mount, u64 dentry)
{
	struct task_struct *task = bpf_get_current_task();
	struct fs_struct *fs = NULL;
	struct path root = {};

	read_field(fs, task->fs);
	read_field(root, fs->root);
	return append_act_path(mount, dentry, (u64)root.mnt, (u64)root.dentry);
}

static __always_inline void append_file_path(struct act_draft *draft, struct file_record *record, u64 mount, u64 dentry)
{
	u64 before = draft->used;
	int end = append_path_in_view(mount, dentry);

	if (end & WALK_DETACHED)
		record->act.header.flags |= FILE_DETACHED;
	if (end & WALK_TRUNCATED)
		record->act.header.flags |= FILE_TRUNCATED;
	record->path_length = draft->used - before;
}

static __always_inline void read_file_inode(struct file_record *record, struct inode *inode)
{
	struct super_block *superblock = NULL;

	read_field(record->inode, inode->i_ino);
	read_field(superblock, inode->i_sb);
	read_field(record->device, superblock->s_dev);
	record->mode = 0;
	bpf_probe_read_kernel(&record->mode, sizeof(u16), &inode->i_mode);
}

#endif
