/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Records of acts on files. ebpf-probes/src/decode/file.rs reads them. */
#ifndef DEFENDER_FILE_H
#define DEFENDER_FILE_H

#include "act.h"
#include "file_watch.h"

#define S_IFMT 0170000
#define S_IFDIR 0040000
#define S_IFREG 0100000
#define FILE_SYSTEM_LEVELS 64 /* Of the directory that a mount shows, below its file system's root. */

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
	FILE_OF_CALLER = 1 << 10, /* Another thread may have changed what was named since. */
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
	u16 above_length;      /* As path: goes on from there, or from the end of `inside`, to the root of the file system. */
	u16 text_length;       /* The caller's path, with its NUL, where the kernel's own is not to be had. */
	u16 other_length;      /* As path, of the second path. */
	u16 other_text_length; /* As text. */
	u16 name_length;       /* With its NUL. */
	u16 inside_length;     /* So much of path lies in the file's own mount. */
	u16 padding;
};

_Static_assert(sizeof(struct file_record) == 128, "src/decode/file.rs says the same");

/* An address that a program got as its argument, as a plain number. */
static __always_inline u64 argument(u64 *context, u32 index)
{
	u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), context + index);
	return value;
}

static __always_inline struct path path_argument(u64 *context, u32 index)
{
	struct path path = {};
	struct path *from = (void *)argument(context, index);

	read_field(path, *from);
	return path;
}

static __always_inline u32 add_walk_flags(struct file_record *record, int end)
{
	if (end & WALK_DETACHED)
		record->act.header.flags |= FILE_DETACHED;
	return end & WALK_TRUNCATED;
}

/* Appends a directory's name. Returns its parent, 0 at the root of the file system. */
__noinline u64 append_directory_name(u64 address)
{
	struct act_draft *draft = act_draft();
	struct dentry *dentry = (void *)address;
	struct dentry *parent = NULL;
	const unsigned char *name = NULL;

	read_field(parent, dentry->d_parent);
	read_field(name, dentry->d_name.name);
	if (!draft || parent == dentry || !append_kernel_text(draft, name, COMPONENT_LIMIT))
		return 0;
	return (u64)parent;
}

/* The way from a directory up to the root of its file system, whatever is mounted. */
static __always_inline void append_way_to_file_system(u64 dentry)
{
	for (int step = 0; step < FILE_SYSTEM_LEVELS && dentry; step++)
		dentry = append_directory_name(dentry);
}

/* Appends the path of a file as the current process sees it, and what of the file system lies above its mount. */
__noinline int append_file_path(u64 mount_address, u64 dentry)
{
	struct vfsmount *mount = (void *)mount_address;
	struct act_draft *draft = act_draft();
	struct path root = root_of_current();
	struct dentry *top = root.dentry;
	struct file_record *record;
	u64 before;
	int end;

	if (!draft)
		return 0;
	record = (void *)draft->bytes;
	before = draft->used;
	end = append_act_path(mount_address, dentry, (u64)root.mnt, (u64)root.dentry);
	if (add_walk_flags(record, end))
		record->act.header.flags |= FILE_TRUNCATED;
	record->path_length = draft->used - before;
	record->inside_length = record->path_length;
	if (draft->walk.crossing != U64_MAX)
		record->inside_length = draft->walk.crossing - before;
	if (draft->walk.crossing != U64_MAX || !(end & WALK_MET_ROOT))
		read_field(top, mount->mnt_root);
	before = draft->used;
	append_way_to_file_system((u64)top);
	record->above_length = draft->used - before;
	return 0;
}

/* Appends the second path. */
static __always_inline void append_other_path(struct act_draft *draft, u64 mount, u64 dentry)
{
	struct file_record *record = (void *)draft->bytes;
	struct path root = root_of_current();
	u64 before = draft->used;

	if (append_act_path(mount, dentry, (u64)root.mnt, (u64)root.dentry) & WALK_TRUNCATED)
		record->act.header.flags |= FILE_OTHER_TRUNCATED;
	record->other_length = draft->used - before;
}

static __always_inline void append_other_text(struct act_draft *draft, u64 text)
{
	struct file_record *record = (void *)draft->bytes;

	record->other_text_length = append_kernel_text(draft, (void *)text, PATH_LIMIT);
}

static __always_inline void append_name(struct act_draft *draft, u64 name)
{
	struct file_record *record = (void *)draft->bytes;

	record->name_length = append_kernel_text(draft, (void *)name, COMPONENT_LIMIT);
}

static __always_inline void read_file_inode(struct file_record *record, struct dentry *dentry)
{
	struct super_block *superblock = NULL;
	struct inode *inode = NULL;
	u16 mode = 0;

	read_field(superblock, dentry->d_sb);
	read_field(record->device, superblock->s_dev);
	read_field(inode, dentry->d_inode);
	if (!inode)
		return;
	/* The inode's own: an overlay's dentry shows the same. */
	read_field(record->inode, inode->i_ino);
	read_field(superblock, inode->i_sb);
	read_field(record->device, superblock->s_dev);
	read_field(mode, inode->i_mode);
	record->mode = mode;
}

/* Begins the record of an act on a file. 0 where there is nothing to tell. */
__noinline int begin_file_act(u32 kind, u64 mount, u64 dentry)
{
	struct act_draft *draft = begin_act(kind, sizeof(struct file_record));
	struct file_record *record;

	if (!draft)
		return 0;
	record = (void *)draft->bytes;
	if (is_ignored(&record->act.cgroup))
		return 0;
	read_file_inode(record, (void *)dentry);
	append_file_path(mount, dentry);
	return 1;
}

static __always_inline struct file_record *file_record(struct act_draft *draft)
{
	return (void *)draft->bytes;
}

/* The draft, where the file is watched for anything. */
static __always_inline struct act_draft *begin_watched(u32 kind, u64 mount, u64 dentry)
{
	if (!is_watched(mount, dentry, WATCH_ALL) || !begin_file_act(kind, mount, dentry))
		return NULL;
	return act_draft();
}

static __always_inline void set_owners(struct file_record *record, u32 owner, u32 group)
{
	if (owner != U32_MAX) {
		record->owner = owner;
		record->act.header.flags |= FILE_HAS_OWNER;
	}
	if (group != U32_MAX) {
		record->group = group;
		record->act.header.flags |= FILE_HAS_GROUP;
	}
}

static __always_inline void set_mode(struct file_record *record, u32 permissions)
{
	record->mode = (record->mode & S_IFMT) | (permissions & 07777);
}

#endif
