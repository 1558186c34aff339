/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A file is opened. */
#include "call.h"
#include "file.h"
#include "file_repeat.h"

/* include/linux/fs.h */
#define FMODE_READ 0x1
#define FMODE_WRITE 0x2
#define FMODE_PATH 0x4000
#define FMODE_CREATED 0x100000

#define O_TRUNC 01000
#define O_CLOEXEC 02000000

/* include/uapi/linux/stat.h, include/uapi/linux/major.h, Documentation/admin-guide/devices.txt */
#define S_IFCHR 0020000
#define NULL_DEVICE (1 << 20 | 3)

/* Every shell throws output away, and nothing comes of it: such opens are told of no one, even where all of /dev is watched. */
static __always_inline int is_null_device(struct file *file)
{
	struct inode *inode = NULL;
	u16 mode = 0;
	u32 device = 0;

	read_field(inode, file->f_inode);
	read_field(mode, inode->i_mode);
	if ((mode & S_IFMT) != S_IFCHR)
		return 0;
	read_field(device, inode->i_rdev);
	return device == NULL_DEVICE;
}

static __always_inline u32 access_of(u32 flags, u32 mode)
{
	u32 access = 0;

	if (mode & FMODE_READ)
		access |= WATCH_TO_READ;
	if (mode & (FMODE_WRITE | FMODE_CREATED) || flags & O_TRUNC)
		access |= WATCH_TO_WRITE;
	return access;
}

/*
 * The draft of an open that somebody wants to hear of. A file opened as a place only (O_PATH) is not opened. `asked` are flags that
 * the kernel has forgotten when the open has ended.
 */
static __always_inline struct act_draft *begin_open(struct file *file, u32 asked)
{
	struct act_draft *draft;
	struct path path = {};
	u32 flags = 0;
	u32 mode = 0;

	read_field(path, file->f_path);
	read_field(flags, file->f_flags);
	read_field(mode, file->f_mode);
	flags |= asked & ~O_CLOEXEC; /* That is of the descriptor. */
	if (mode & FMODE_PATH || is_null_device(file) ||
	    !is_watched((u64)path.mnt, (u64)path.dentry, access_of(flags, mode)))
		return NULL;
	if (is_repeated_open(&path, flags, mode) || !begin_file_act(FILE_OPEN, (u64)path.mnt, (u64)path.dentry))
		return NULL;
	draft = act_draft();
	if (!draft)
		return NULL;
	file_record(draft)->flags = flags;
	if (mode & FMODE_CREATED)
		file_record(draft)->act.header.flags |= FILE_CREATED;
	return draft;
}

/* Of a file whose type the verifier knows. */
static __always_inline int report_open(struct file *file)
{
	struct act_draft *draft;

	if (is_known_unwatched(file->f_path.mnt, file->f_path.dentry, access_of(file->f_flags, file->f_mode)))
		return 0;
	draft = begin_open(file, 0);
	if (draft)
		send_act(draft);
	return 0;
}

/* The kernel is about to hand the file out: it exists, and the caller may have it. */
SEC("lsm/file_open")
int file_open_lsm(u64 *context)
{
	return report_open((struct file *)context[0]);
}

SEC("fentry/security_file_open")
int file_open_function(u64 *context)
{
	return report_open((struct file *)context[0]);
}
