/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A file is opened. */
#include "call.h"
#include "file.h"

#define FMODE_CREATED 0x100000 /* include/linux/fs.h */

static __always_inline struct act_draft *begin_open(struct file *file)
{
	struct act_draft *draft = begin_act(FILE_OPEN, sizeof(struct file_record));
	struct file_record *record;
	struct inode *inode = NULL;
	struct path path = {};
	u32 flags = 0;
	u32 mode = 0;

	if (!draft)
		return NULL;
	record = (void *)draft->bytes;
	read_field(flags, file->f_flags);
	read_field(mode, file->f_mode);
	read_field(inode, file->f_inode);
	read_field(path, file->f_path);
	record->flags = flags;
	if (mode & FMODE_CREATED)
		record->act.header.flags |= FILE_CREATED;
	read_file_inode(record, inode);
	append_file_path(draft, record, (u64)path.mnt, (u64)path.dentry);
	return draft;
}

static __always_inline int report_open(struct file *file)
{
	struct act_draft *draft = begin_open(file);

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

/* What the descriptor names that the call returned. */
SEC("tp_btf/sys_exit")
int file_open_call(u64 *context)
{
	struct act_draft *draft;
	struct call call = {};
	struct file *file;

	if (!read_call(&call, context) || call.result < 0)
		return 0;
	file = open_file(call.result);
	if (!file)
		return 0;
	draft = begin_open(file);
	if (!draft)
		return 0;
	tell_call((struct act_head *)draft->bytes, &call);
	send_act(draft);
	return 0;
}
