/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Extended attributes and inode flags. Their hooks know the entry of the file but not its mount: we look for that. */
#include "file.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct list_head___file {
	struct list_head___file *next;
};

/* Up to 6.17 a list, since then a chain. */
struct super_block___listed_mounts {
	struct list_head___file s_mounts;
};

struct mount___listed {
	struct list_head___file mnt_instance;
};

struct super_block___chained_mounts {
	struct mount *s_mounts;
};

struct mount___chained {
	struct mount *mnt_next_for_sb;
};

/* Since 5.12 these hooks tell first by which mapping of users the mount is seen. */
struct vfsmount___mapped_by_namespace {
	void *mnt_userns;
};

struct vfsmount___mapped {
	void *mnt_idmap;
};

struct nsproxy___file {
	struct mnt_namespace *mnt_ns;
};

struct task_struct___in_namespaces {
	struct nsproxy___file *nsproxy;
};

/* Up to 6.16. */
struct fileattr___file {
	u32 flags;
};

/* Since 6.17. */
struct file_kattr___file {
	u32 flags;
};

#pragma clang attribute pop

#define MOUNTS_LOOKED_AT 64
#define LEVELS_LOOKED_AT 32

static __always_inline int is_mapped(void)
{
	return field_exists(((struct vfsmount___mapped_by_namespace *)0)->mnt_userns) ||
	       field_exists(((struct vfsmount___mapped *)0)->mnt_idmap);
}

static __always_inline struct mount *first_mount(struct super_block *superblock)
{
	struct super_block___chained_mounts *chained = (void *)superblock;
	struct super_block___listed_mounts *listed = (void *)superblock;
	struct mount *mount = NULL;

	if (field_exists(((struct mount___chained *)0)->mnt_next_for_sb)) {
		read_field(mount, chained->s_mounts);
	} else {
		read_field(mount, listed->s_mounts.next);
		mount = (void *)mount - field_offset(struct mount___listed, mnt_instance);
	}
	return mount;
}

static __always_inline struct mount *next_mount(struct mount *mount)
{
	struct mount___chained *chained = (void *)mount;
	struct mount___listed *listed = (void *)mount;
	struct mount *next = NULL;

	if (field_exists(chained->mnt_next_for_sb)) {
		read_field(next, chained->mnt_next_for_sb);
	} else {
		read_field(next, listed->mnt_instance.next);
		next = (void *)next - field_offset(struct mount___listed, mnt_instance);
	}
	return next;
}

__noinline int is_below(u64 dentry_address, u64 root)
{
	struct dentry *dentry = (void *)dentry_address;

	for (int level = 0; level < LEVELS_LOOKED_AT; level++) {
		struct dentry *parent = NULL;

		if ((u64)dentry == root)
			return 1;
		read_field(parent, dentry->d_parent);
		if (parent == dentry)
			return 0;
		dentry = parent;
	}
	return 0;
}

/* The mount by which the current process sees a file: one of its namespace that shows the file. 0 where there is none. */
__noinline u64 mount_of(u64 dentry_address)
{
	struct dentry *dentry = (void *)dentry_address;
	struct task_struct___in_namespaces *task = (void *)bpf_get_current_task();
	struct super_block *superblock = NULL;
	struct mnt_namespace *namespace = NULL;
	struct nsproxy___file *namespaces = NULL;
	struct mount *mount;

	read_field(namespaces, task->nsproxy);
	read_field(namespace, namespaces->mnt_ns);
	read_field(superblock, dentry->d_sb);
	mount = first_mount(superblock);
	for (int step = 0; step < MOUNTS_LOOKED_AT && mount; step++) {
		struct mnt_namespace *of = NULL;
		struct dentry *root = NULL;

		read_field(of, mount->mnt_ns);
		read_field(root, mount->mnt.mnt_root);
		if (of == namespace && is_below(dentry_address, (u64)root))
			return (u64)mount + field_offset(struct mount, mnt);
		mount = next_mount(mount);
	}
	return 0;
}

static __always_inline struct act_draft *begin_at_entry(u64 dentry, u32 kind)
{
	return begin_watched(kind, mount_of(dentry), dentry);
}

static __always_inline int report_setxattr(u64 *context)
{
	u32 first = is_mapped() ? 1 : 0;
	struct act_draft *draft = begin_at_entry(argument(context, first), FILE_SETXATTR);

	if (!draft)
		return 0;
	append_name(draft, argument(context, first + 1));
	send_act(draft);
	return 0;
}

SEC("lsm/inode_setxattr")
int setxattr_lsm(u64 *context)
{
	return report_setxattr(context);
}

SEC("fentry/security_inode_setxattr")
int setxattr_function(u64 *context)
{
	return report_setxattr(context);
}

/* What the two hooks above don't see: the outcome, and that the caller might not do it. ([mapping,] entry, name, value, size, flags) */
SEC("fexit/vfs_setxattr")
int setxattr_returned(u64 *context)
{
	u32 first = is_mapped() ? 1 : 0;
	struct act_draft *draft = begin_at_entry(argument(context, first), FILE_SETXATTR);

	if (!draft)
		return 0;
	append_name(draft, argument(context, first + 1));
	tell_result(&file_record(draft)->act, (int)argument(context, first + 5));
	send_act(draft);
	return 0;
}

/* Since 5.13. All flags that the file is to have. (mapping, entry, flags) */
SEC("fexit/vfs_fileattr_set")
int chattr_returned(u64 *context)
{
	struct act_draft *draft = begin_at_entry(argument(context, 1), FILE_CHATTR);
	struct file_kattr___file *attributes = (void *)argument(context, 2);
	struct fileattr___file *older = (void *)attributes;
	u32 flags = 0;

	if (!draft)
		return 0;
	if (field_exists(attributes->flags))
		read_field(flags, attributes->flags);
	else
		read_field(flags, older->flags);
	file_record(draft)->flags = flags;
	tell_result(&file_record(draft)->act, (int)context[3]);
	send_act(draft);
	return 0;
}

/* include/uapi/linux/fs.h; the last is what 32-bit programs say. */
#define FS_IOC_SETFLAGS 0x40086602
#define FS_IOC_FSSETXATTR 0x401c5820
#define FS_IOC32_SETFLAGS 0x40046602

/* Begins the record of an ioctl that sets inode flags, told by its open file. The flags are the caller's. */
static __always_inline struct act_draft *begin_set_flags(struct file *file, u32 command, u64 flags)
{
	struct act_draft *draft;
	struct path path = {};
	u32 value = 0;

	if (command != FS_IOC_SETFLAGS && command != FS_IOC_FSSETXATTR && command != FS_IOC32_SETFLAGS)
		return NULL;
	read_field(path, file->f_path);
	draft = begin_watched(FILE_CHATTR, (u64)path.mnt, (u64)path.dentry);
	if (!draft)
		return NULL;
	if (bpf_probe_read_user(&value, sizeof(value), (void *)flags))
		value = 0;
	file_record(draft)->flags = value;
	return draft;
}

static __always_inline int report_ioctl(u64 *context)
{
	struct act_draft *draft;

	draft = begin_set_flags((void *)argument(context, 0), argument(context, 1), argument(context, 2));
	if (draft)
		send_act(draft);
	return 0;
}

SEC("lsm/file_ioctl")
int chattr_ioctl_lsm(u64 *context)
{
	return report_ioctl(context);
}

SEC("fentry/security_file_ioctl")
int chattr_ioctl_function(u64 *context)
{
	return report_ioctl(context);
}
