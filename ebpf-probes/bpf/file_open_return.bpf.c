/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A file was opened, or was refused: at the return of the kernel's own function for it, which all the ways to open by a path take, those of
 * an io_uring and of exec too. No other thread can reach the new file yet. What a file system opens beneath itself (the files below an
 * overlay) does not pass here: it is told once, as its caller sees it.
 */
#include "call.h"
#include "file.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct open_flags {
	int open_flag;
};

#pragma clang attribute pop

#define EIO 5
#define ENXIO 6
#define EBUSY 16
#define ENODEV 19
#define FIRST_ERROR ((u64)-4095)

/* The caller may not have the file, or the device behind it can't be had. */
static __always_inline int is_open_told(s64 result)
{
	return is_refusal(result) || result == -ENXIO || result == -EBUSY || result == -ENODEV || result == -EIO;
}

/* The name is the kernel's copy; links in it were followed, or not: it is told as the caller's. */
static __always_inline int report_failed_open(s64 result, u64 directory, u64 name, u64 flags)
{
	struct act_draft *draft;

	if (!is_open_told(result))
		return 0;
	draft = begin_ring_act(FILE_OPEN, (int)directory, (void *)name, access_asked(flags), 0);
	if (!draft)
		return 0;
	file_record(draft)->flags = flags;
	tell_result(&file_record(draft)->act, result);
	send_act(draft);
	return 0;
}

static __always_inline int report_opened(struct file *file, u64 flags)
{
	struct act_draft *draft = begin_open(file, flags & FORGOTTEN_FLAGS);

	if (!draft)
		return 0;
	tell_result(&file_record(draft)->act, 0);
	send_act(draft);
	return 0;
}

/* Of a file whose type the verifier knows: most opens end here. */
static __always_inline int report_typed(struct file *file, u64 flags)
{
	u32 access = access_of(file->f_flags | (flags & FORGOTTEN_FLAGS), file->f_mode);

	return is_known_unwatched(file->f_path.mnt, file->f_path.dentry, access) ? 0 : report_opened(file, flags);
}

/* (directory, name, how) */
SEC("fexit/do_filp_open")
int file_opened(u64 *context)
{
	struct open_flags *how = (void *)context[2];
	u64 file = context[3];

	keep_bounds(file);
	if (file >= FIRST_ERROR)
		return report_failed_open(argument(context, 3), argument(context, 0), argument(context, 1), how->open_flag);
	return report_typed((void *)file, how->open_flag);
}

/* By the kernel on behalf of a process: queues of messages, files that a watcher of a file system is handed. (path, flags, credentials) */
SEC("fexit/dentry_open")
int file_opened_entry(u64 *context)
{
	u64 file = context[3];

	keep_bounds(file);
	return file >= FIRST_ERROR ? 0 : report_typed((void *)file, (u32)context[1]);
}

/* By a handle, without a path. */
SEC("fexit/__x64_sys_open_by_handle_at")
int file_opened_by_handle(u64 *context)
{
	struct file *file;

	if ((s64)context[1] < 0)
		return 0;
	file = open_file(context[1]);
	return file ? report_opened(file, 0) : 0;
}
