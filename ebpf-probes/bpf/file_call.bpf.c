/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The same acts at the end of their system calls. The result is known here. A path that was told in text is read from
 * the caller's memory, who may have changed it meanwhile, and told so; descriptors are resolved from the kernel's table of open files.
 */
#include "call.h"
#include "file.h"

#define AT_FDCWD -100
#define AT_REMOVEDIR 0x200
#define O_WRONLY 01
#define O_CREAT 0100
#define O_EXCL 0200
#define FORGOTTEN_FLAGS (O_CREAT | O_EXCL | O_TRUNC)
#define EPERM 1
#define ENOENT 2
#define EACCES 13
#define EFAULT 14
#define ETXTBSY 26
#define EROFS 30
#define ELOOP 40

/* Set for the kinds of records that are wanted: a call or an operation may do one of several acts. User space fills it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RECORD_KINDS);
	__type(key, u32);
	__type(value, u32);
} wanted_kinds SEC(".maps");

static __always_inline int is_wanted(u32 kind)
{
	u32 *wanted = bpf_map_lookup_elem(&wanted_kinds, &kind);

	return wanted && *wanted;
}

/* A path in text: the text itself lies at the desk. */
struct text_path {
	u64 mount; /* What it is relative to; all 0 where it is absolute. */
	u64 dentry;
};

/* The directory or file of a descriptor. */
static __always_inline struct text_path place_of(s64 descriptor)
{
	struct path path = {};

	if ((int)descriptor == AT_FDCWD) {
		struct task_struct *task = bpf_get_current_task();
		struct fs_struct *fs = NULL;

		read_field(fs, task->fs);
		read_field(path, fs->pwd);
	} else {
		struct file *file = open_file(descriptor);

		if (file)
			read_field(path, file->f_path);
	}
	return (struct text_path){ (u64)path.mnt, (u64)path.dentry };
}

/*
 * Reads a path of the caller's to the desk. Returns its length without the NUL, negative where there is none: the desk's text is
 * empty then.
 */
__noinline int read_text(u64 address)
{
	struct watch_desk *desk = watch_desk();

	if (!desk)
		return -1;
	desk->text[0] = 0;
	if (!address)
		return -1;
	return bpf_probe_read_user_str(desk->text, PATH_LIMIT, (void *)address) - 1;
}

static __always_inline int desk_text_is_absolute(void)
{
	struct watch_desk *desk = watch_desk();

	return desk && desk->text[0] == '/';
}

/* The text at the desk, and the directory that it is relative to. */
static __always_inline void append_desk_text(struct act_draft *draft, u16 *length)
{
	struct watch_desk *desk = watch_desk();

	if (desk)
		*length = append_kernel_text(draft, desk->text, PATH_LIMIT);
}

/* Begins a record with the text at the desk as its path. */
__noinline int begin_text_act(u32 kind, u64 mount, u64 dentry)
{
	struct act_draft *draft = begin_act(kind, sizeof(struct file_record));
	struct file_record *record;
	u16 length = 0;

	if (!draft)
		return 0;
	record = (void *)draft->bytes;
	if (is_ignored(&record->act.cgroup))
		return 0;
	if (dentry)
		append_file_path(mount, dentry);
	/* They are of the directory, not of the file. */
	draft->used -= record->above_length;
	record->above_length = 0;
	append_desk_text(draft, &length);
	record->text_length = length;
	return 1;
}

/*
 * The draft of an act on the path whose text is at `address`, relative to a descriptor; on the descriptor itself where no text was given. A
 * text that is empty, or not there any more, may have been another one when the kernel read it: it is told as the caller's.
 */
static __always_inline struct act_draft *begin_call(u32 kind, s64 descriptor, u64 address)
{
	struct text_path place = place_of(descriptor);

	if (!address)
		return place.dentry ? begin_watched(kind, place.mount, place.dentry) : NULL;
	read_text(address);
	if (desk_text_is_absolute())
		place = (struct text_path){};
	if (!is_text_watched(place.mount, place.dentry, WATCH_ALL) || !begin_text_act(kind, place.mount, place.dentry))
		return NULL;
	return act_draft();
}

static __always_inline void append_user_name(struct act_draft *draft, u64 name)
{
	file_record(draft)->name_length = append_user_text(draft, (void *)name, COMPONENT_LIMIT);
}

/* What the call was asked to set, which stands after the path. */
static __always_inline void tell_settings(struct act_draft *draft, u32 kind, u64 first, u64 second)
{
	struct file_record *record = file_record(draft);

	switch (kind) {
	case FILE_MKDIR:
		record->mode = S_IFDIR | (first & 07777);
		break;
	case FILE_MKNOD:
		record->mode = first & S_IFMT ? first & 0xffff : S_IFREG | (first & 07777);
		break;
	case FILE_CHMOD:
		if (record->mode)
			set_mode(record, first);
		else
			record->mode = first & 07777;
		break;
	case FILE_CHOWN:
		set_owners(record, first, second);
		break;
	case FILE_SETXATTR:
		append_user_name(draft, first);
		break;
	}
}

/*
 * Another thread may have put another file behind the descriptor since, if there is one that shares descriptors. The name of
 * an attribute is the caller's memory, which other processes may share as well.
 */
static __always_inline void tell_descriptor_may_differ(struct act_draft *draft, u32 kind)
{
	struct task_struct *task = bpf_get_current_task();
	struct files_struct *files = NULL;
	int count = 0;

	read_field(files, task->files);
	read_field(count, files->count.counter);
	if (count > 1 || kind == FILE_SETXATTR)
		file_record(draft)->act.header.flags |= FILE_OF_CALLER;
}

static __always_inline int failed_for_nothing(const struct call *call)
{
	return call->result == -ENOENT || call->result == -EFAULT;
}

static __always_inline int report_call(const struct call *call, s64 descriptor, u64 text, u64 first, u64 second)
{
	struct act_draft *draft;

	if (failed_for_nothing(call) || !is_wanted(call->kind))
		return 0;
	draft = begin_call(call->kind, descriptor, text);
	if (!draft)
		return 0;
	tell_settings(draft, call->kind, first, second);
	if (!text)
		tell_descriptor_may_differ(draft, call->kind);
	tell_call((struct act_head *)draft->bytes, call);
	send_act(draft);
	return 0;
}

/* Calls on one file. */
static __always_inline int path_call(struct call *call)
{
	const u64 *arguments = call->arguments;

	switch (call->shape) {
	case CALL_PATH: /* (path, ...) */
		return report_call(call, AT_FDCWD, arguments[0], arguments[1], arguments[2]);
	case CALL_AT: /* (directory, path, ...) */
		if (call->kind == FILE_UNLINK || call->kind == FILE_RMDIR)
			call->kind = arguments[2] & AT_REMOVEDIR ? FILE_RMDIR : FILE_UNLINK;
		return report_call(call, arguments[0], arguments[1], arguments[2], arguments[3]);
	case CALL_SETXATTRAT: /* (directory, path, flags, name, ...) */
		return report_call(call, arguments[0], arguments[1], arguments[3], 0);
	case CALL_DESCRIPTOR: /* (descriptor, ...) */
		return report_call(call, arguments[0], 0, arguments[1], arguments[2]);
	}
	return 0;
}

/* Appends a second path in text. The directory comes first. */
static __always_inline void append_other_call(struct act_draft *draft, s64 descriptor, u64 address)
{
	struct text_path place = place_of(descriptor);

	if (read_text(address) <= 0)
		return;
	if (!desk_text_is_absolute() && place.dentry)
		append_other_path(draft, place.mount, place.dentry);
	append_desk_text(draft, &file_record(draft)->other_text_length);
}

static __always_inline int is_call_watched(s64 descriptor, u64 address)
{
	struct text_path place = place_of(descriptor);

	if (read_text(address) <= 0)
		return place.dentry && is_watched(place.mount, place.dentry, WATCH_ALL);
	if (desk_text_is_absolute())
		place = (struct text_path){};
	return is_text_watched(place.mount, place.dentry, WATCH_ALL);
}

/* Two paths. Only their names are read again once one is known to be watched. */
static __always_inline int report_pair(const struct call *call, s64 from_at, u64 from, s64 to_at, u64 to, u64 flags)
{
	struct text_path place = place_of(from_at);
	struct act_draft *draft;

	if (call->kind == FILE_RENAME && call->result == 0)
		note_tree_change();
	if (failed_for_nothing(call) || (!is_call_watched(from_at, from) && !is_call_watched(to_at, to)))
		return 0;
	read_text(from); /* Empty for linkat of a descriptor. */
	if (desk_text_is_absolute())
		place = (struct text_path){};
	if (!begin_text_act(call->kind, place.mount, place.dentry))
		return 0;
	draft = act_draft();
	if (!draft)
		return 0;
	file_record(draft)->flags = (u32)flags;
	append_other_call(draft, to_at, to);
	tell_call((struct act_head *)draft->bytes, call);
	send_act(draft);
	return 0;
}

/* Calls on two files. */
static __always_inline int pair_call(const struct call *call)
{
	const u64 *arguments = call->arguments;

	switch (call->shape) {
	case CALL_PAIR: /* (from, to) */
		return report_pair(call, AT_FDCWD, arguments[0], AT_FDCWD, arguments[1], 0);
	case CALL_PAIR_AT: /* (directory, from, directory, to, flags) */
		return report_pair(call, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4]);
	case CALL_RENAMEAT: /* As the former, without flags. */
		return report_pair(call, arguments[0], arguments[1], arguments[2], arguments[3], 0);
	}
	return 0;
}

/* A symbolic link: its text is a path too, as seen from the link's directory; we take the caller's. */
static __always_inline int report_symlink_call(const struct call *call, u64 text, s64 descriptor, u64 address)
{
	struct text_path place = place_of(descriptor);
	struct act_draft *draft;

	if (failed_for_nothing(call) || (!is_call_watched(descriptor, address) && !is_call_watched(descriptor, text)))
		return 0;
	read_text(address);
	if (desk_text_is_absolute())
		place = (struct text_path){};
	if (!begin_text_act(FILE_SYMLINK, place.mount, place.dentry))
		return 0;
	draft = act_draft();
	if (!draft)
		return 0;
	if (read_text(text) > 0)
		append_desk_text(draft, &file_record(draft)->other_text_length);
	tell_call((struct act_head *)draft->bytes, call);
	send_act(draft);
	return 0;
}

/* ioctl(descriptor, command, flags) */
static __always_inline int ioctl_call(const struct call *call)
{
	struct file *file = open_file(call->arguments[0]);
	struct act_draft *draft;

	if (!file)
		return 0;
	draft = begin_set_flags(file, call->arguments[1], call->arguments[2]);
	if (!draft)
		return 0;
	tell_descriptor_may_differ(draft, call->kind);
	tell_call((struct act_head *)draft->bytes, call);
	send_act(draft);
	return 0;
}

/* Why an open was refused that is told nevertheless. What is not there, or there already, is no news. */
static __always_inline int is_refusal(s64 result)
{
	return result == -EACCES || result == -EPERM || result == -EROFS || result == -ETXTBSY || result == -ELOOP;
}

static __always_inline int report_refused_open(const struct call *call, s64 descriptor, u64 text, u64 flags)
{
	struct act_draft *draft;
	struct text_path place = place_of(descriptor);

	if (!is_refusal(call->result) || read_text(text) <= 0)
		return 0;
	if (desk_text_is_absolute())
		place = (struct text_path){};
	if (!is_text_watched(place.mount, place.dentry, access_asked(flags)) ||
	    !begin_text_act(FILE_OPEN, place.mount, place.dentry))
		return 0;
	draft = act_draft();
	if (!draft)
		return 0;
	file_record(draft)->flags = flags;
	tell_call((struct act_head *)draft->bytes, call);
	send_act(draft);
	return 0;
}

/* What the descriptor names that the call returned. */
static __always_inline int report_open_call(const struct call *call, s64 descriptor, u64 text, u64 flags)
{
	struct act_draft *draft;
	struct file *file;

	if (call->result < 0)
		return report_refused_open(call, descriptor, text, flags);
	file = open_file(call->result);
	if (!file)
		return 0;
	draft = begin_open(file, flags);
	if (!draft)
		return 0;
	tell_call((struct act_head *)draft->bytes, call);
	send_act(draft);
	return 0;
}

/* openat2(directory, path, flags in memory) */
static __always_inline int openat2_call(const struct call *call)
{
	u64 flags = 0;

	bpf_probe_read_user(&flags, sizeof(flags), (void *)call->arguments[2]);
	if (call->result >= 0)
		flags &= FORGOTTEN_FLAGS; /* The others the kernel knows better than the caller's memory. */
	return report_open_call(call, call->arguments[0], call->arguments[1], flags);
}

/* Calls that open a file. */
static __always_inline int open_call(const struct call *call)
{
	const u64 *arguments = call->arguments;

	switch (call->shape) {
	case CALL_OPENAT: /* (directory, path, flags) */
		return report_open_call(call, arguments[0], arguments[1], arguments[2]);
	case CALL_OPEN: /* (path, flags) */
		return report_open_call(call, AT_FDCWD, arguments[0], arguments[1]);
	case CALL_CREAT: /* (path) */
		return report_open_call(call, AT_FDCWD, arguments[0], O_WRONLY | O_CREAT | O_TRUNC);
	case CALL_OPENAT2:
		return openat2_call(call);
	case CALL_OPEN_HANDLE: /* It has no path. */
		return call->result < 0 ? 0 : report_open_call(call, 0, 0, 0);
	}
	return 0;
}

/* Begins a record of the tree of mounts, on a path in text. Where such a call succeeded the tree is another. NULL where there is nothing to tell. */
static __always_inline struct act_draft *begin_mount_call(const struct call *call, s64 descriptor, u64 text)
{
	struct text_path place = place_of(descriptor);

	read_text(text);
	if (desk_text_is_absolute())
		place = (struct text_path){};
	if (!begin_text_act(call->kind, place.mount, place.dentry))
		return NULL;
	return act_draft();
}

/* The same of a mount that was just made: its descriptor names where it is now. That the text was empty before is the caller's word: so is the path. */
static __always_inline struct act_draft *begin_made_mount(const struct call *call)
{
	struct text_path from = place_of(call->arguments[0]);
	struct file_system_type *type = NULL;
	struct super_block *superblock = NULL;
	struct dentry *dentry = (void *)from.dentry;
	struct act_draft *draft;
	const char *name = NULL;

	if (!dentry || !begin_text_act(call->kind, from.mount, from.dentry))
		return NULL;
	draft = act_draft();
	if (!draft)
		return NULL;
	read_field(superblock, dentry->d_sb);
	read_field(type, superblock->s_type);
	read_field(name, type->name);
	append_name(draft, (u64)name);
	return draft;
}

/* move_mount(from directory, from, to directory, to, flags) */
static __always_inline struct act_draft *begin_move_mount(const struct call *call)
{
	const u64 *arguments = call->arguments;
	struct act_draft *draft;

	if (read_text(arguments[1]) <= 0 && call->result == 0)
		return begin_made_mount(call);
	if (read_text(arguments[3]) <= 0)
		return NULL;
	draft = begin_mount_call(call, arguments[2], arguments[3]);
	if (draft)
		append_other_call(draft, arguments[0], arguments[1]);
	return draft;
}

/* mount(source, target, type, flags) */
static __always_inline struct act_draft *begin_mount(const struct call *call)
{
	struct act_draft *draft = begin_mount_call(call, AT_FDCWD, call->arguments[1]);

	if (!draft)
		return NULL;
	file_record(draft)->flags = call->arguments[3];
	if (read_text(call->arguments[0]) > 0)
		append_desk_text(draft, &file_record(draft)->other_text_length);
	append_user_name(draft, call->arguments[2]);
	return draft;
}

/* umount2(target, flags); the old umount of 32-bit programs has no flags. */
static __always_inline struct act_draft *begin_umount(const struct call *call)
{
	struct act_draft *draft = begin_mount_call(call, AT_FDCWD, call->arguments[0]);

	if (draft)
		file_record(draft)->flags = (u32)call->arguments[1];
	return draft;
}

/* Calls that change the tree of mounts. */
static __always_inline int mount_call(const struct call *call)
{
	struct act_draft *draft = NULL;

	note_tree_change();
	if (failed_for_nothing(call))
		return 0;
	if (call->shape == CALL_MOUNT)
		draft = begin_mount(call);
	else if (call->shape == CALL_UMOUNT)
		draft = begin_umount(call);
	else
		draft = begin_move_mount(call);
	if (!draft)
		return 0;
	tell_call((struct act_head *)draft->bytes, call);
	send_act(draft);
	return 0;
}

SEC("tp_btf/sys_exit")
int file_call(u64 *context)
{
	struct call call = {};

	if (!read_call(&call, context))
		return 0;
	switch (call.shape) {
	case CALL_OPENAT ... CALL_OPEN_HANDLE:
		return open_call(&call);
	case CALL_PATH ... CALL_DESCRIPTOR:
		return path_call(&call);
	case CALL_PAIR ... CALL_RENAMEAT:
		return pair_call(&call);
	case CALL_SYMLINK: /* (text, link) */
		return report_symlink_call(&call, call.arguments[0], AT_FDCWD, call.arguments[1]);
	case CALL_SYMLINKAT: /* (text, directory, link) */
		return report_symlink_call(&call, call.arguments[0], call.arguments[1], call.arguments[2]);
	case CALL_IOCTL:
		return ioctl_call(&call);
	case CALL_MOUNT ... CALL_MOVE_MOUNT:
		return mount_call(&call);
	}
	return 0;
}
