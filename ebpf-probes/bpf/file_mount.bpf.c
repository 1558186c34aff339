/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* File systems are mounted, moved, and unmounted. All of them are told: they are few, and each can make a path mean another file. */
#include "file.h"

static __always_inline struct act_draft *begin_mount_act(u32 kind, u64 mount, u64 dentry)
{
	note_tree_change();
	return begin_file_act(kind, mount, dentry) ? act_draft() : NULL;
}

static __always_inline int report_mount(u64 *context)
{
	struct path at = path_argument(context, 1);
	struct act_draft *draft = begin_mount_act(FILE_MOUNT, (u64)at.mnt, (u64)at.dentry);

	if (!draft)
		return 0;
	file_record(draft)->flags = argument(context, 3);
	append_other_text(draft, argument(context, 0));
	append_name(draft, argument(context, 2));
	send_act(draft);
	return 0;
}

SEC("lsm/sb_mount")
int mount_lsm(u64 *context)
{
	return report_mount(context);
}

SEC("fentry/security_sb_mount")
int mount_function(u64 *context)
{
	return report_mount(context);
}

static __always_inline int report_umount(u64 *context)
{
	struct vfsmount *mount = (void *)argument(context, 0);
	struct dentry *root = NULL;
	struct act_draft *draft;

	read_field(root, mount->mnt_root);
	draft = begin_mount_act(FILE_UMOUNT, (u64)mount, (u64)root);
	if (!draft)
		return 0;
	file_record(draft)->flags = (u32)argument(context, 1);
	send_act(draft);
	return 0;
}

SEC("lsm/sb_umount")
int umount_lsm(u64 *context)
{
	return report_umount(context);
}

SEC("fentry/security_sb_umount")
int umount_function(u64 *context)
{
	return report_umount(context);
}

/* From where, to where. What was not attached yet has no path. */
static __always_inline int report_move_mount(u64 *context)
{
	struct path from = path_argument(context, 0);
	struct path to = path_argument(context, 1);
	struct act_draft *draft = begin_mount_act(FILE_MOVE_MOUNT, (u64)to.mnt, (u64)to.dentry);
	struct file_system_type *type = NULL;
	struct super_block *superblock = NULL;
	const char *name = NULL;

	if (!draft)
		return 0;
	append_other_path(draft, (u64)from.mnt, (u64)from.dentry);
	read_field(superblock, from.mnt->mnt_sb);
	read_field(type, superblock->s_type);
	read_field(name, type->name);
	append_name(draft, (u64)name);
	send_act(draft);
	return 0;
}

SEC("lsm/move_mount")
int move_mount_lsm(u64 *context)
{
	return report_move_mount(context);
}

SEC("fentry/security_move_mount")
int move_mount_function(u64 *context)
{
	return report_move_mount(context);
}
