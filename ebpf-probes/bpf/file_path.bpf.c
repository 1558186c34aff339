/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Acts on names and on attributes of files, where the kernel asks its security modules: it has resolved the paths by then, and
 * has not acted yet. Each program stands twice, for the hook of the security modules and for the function that calls it.
 */
#include "file.h"

#define ON_BOTH(hook, name)                                                                      \
	SEC("lsm/" #hook) int name##_lsm(u64 *context) { return report_##name(context); }        \
	SEC("fentry/security_" #hook) int name##_function(u64 *context) { return report_##name(context); }

/* An act on a name: its directory and its entry, which may not exist yet. */
static __always_inline struct act_draft *begin_named(u64 *context, u32 kind)
{
	struct path directory = path_argument(context, 0);

	return begin_watched(kind, (u64)directory.mnt, argument(context, 1));
}

/* An act on a file's attributes. */
static __always_inline struct act_draft *begin_at_path(u64 *context, u32 kind)
{
	struct path path = path_argument(context, 0);

	return begin_watched(kind, (u64)path.mnt, (u64)path.dentry);
}

static __always_inline int finish(struct act_draft *draft)
{
	if (draft)
		send_act(draft);
	return 0;
}

static __always_inline int report_unlink(u64 *context)
{
	return finish(begin_named(context, FILE_UNLINK));
}
ON_BOTH(path_unlink, unlink)

static __always_inline int report_rmdir(u64 *context)
{
	return finish(begin_named(context, FILE_RMDIR));
}
ON_BOTH(path_rmdir, rmdir)

static __always_inline int report_mkdir(u64 *context)
{
	struct act_draft *draft = begin_named(context, FILE_MKDIR);

	if (draft)
		file_record(draft)->mode = S_IFDIR | (argument(context, 2) & 07777);
	return finish(draft);
}
ON_BOTH(path_mkdir, mkdir)

/* The hook speaks of every file that open makes too: those are told by their opens. */
static __always_inline int report_mknod(u64 *context)
{
	u32 mode = argument(context, 2) & 0xffff;
	struct act_draft *draft;

	if ((mode & S_IFMT) == S_IFREG)
		return 0;
	draft = begin_named(context, FILE_MKNOD);
	if (draft)
		file_record(draft)->mode = mode & S_IFMT ? mode : mode | S_IFREG;
	return finish(draft);
}
ON_BOTH(path_mknod, mknod)

static __always_inline int report_symlink(u64 *context)
{
	struct path directory = path_argument(context, 0);
	u64 entry = argument(context, 1);
	u64 text = argument(context, 2);
	struct watch_desk *desk = watch_desk();
	struct dentry *made = (void *)entry;
	struct dentry *parent = NULL;
	struct act_draft *draft;
	int watched = is_watched((u64)directory.mnt, entry, WATCH_ALL);

	/* A link to a file that is watched is one too. */
	if (!watched && desk) {
		bpf_probe_read_kernel_str(desk->text, PATH_LIMIT, (void *)text);
		if (desk->text[0] == '/') {
			watched = is_text_watched(0, 0, WATCH_ALL);
		} else {
			read_field(parent, made->d_parent);
			watched = is_text_watched((u64)directory.mnt, (u64)parent, WATCH_ALL);
		}
	}
	if (!watched || !begin_file_act(FILE_SYMLINK, (u64)directory.mnt, entry))
		return 0;
	draft = act_draft();
	if (draft)
		append_other_text(draft, text);
	return finish(draft);
}
ON_BOTH(path_symlink, symlink)

/* Both names. A directory that moves takes all below it along. */
static __always_inline int report_rename(u64 *context)
{
	struct path from = path_argument(context, 0);
	struct path to = path_argument(context, 2);
	u64 old = argument(context, 1);
	u64 new = argument(context, 3);
	struct dentry *entry = (void *)old;
	struct inode *inode = NULL;
	struct act_draft *draft;
	u16 mode = 0;

	read_field(inode, entry->d_inode);
	read_field(mode, inode->i_mode);
	if ((mode & S_IFMT) == S_IFDIR || context[4])
		note_tree_change();
	if (!is_watched((u64)from.mnt, old, WATCH_ALL) && !is_watched((u64)to.mnt, new, WATCH_ALL))
		return 0;
	if (!begin_file_act(FILE_RENAME, (u64)from.mnt, old))
		return 0;
	draft = act_draft();
	if (!draft)
		return 0;
	/* The hook of the oldest kernels has no flags: the argument after its last is what other modules returned, 0. */
	file_record(draft)->flags = (u32)context[4];
	append_other_path(draft, (u64)to.mnt, new);
	return finish(draft);
}
ON_BOTH(path_rename, rename)

/* Old entry, new directory, new entry; both in one mount. */
static __always_inline int report_link(u64 *context)
{
	struct path directory = path_argument(context, 1);
	u64 old = argument(context, 0);
	u64 new = argument(context, 2);
	struct act_draft *draft;

	if (!is_watched((u64)directory.mnt, old, WATCH_ALL) && !is_watched((u64)directory.mnt, new, WATCH_ALL))
		return 0;
	if (!begin_file_act(FILE_LINK, (u64)directory.mnt, old))
		return 0;
	draft = act_draft();
	if (draft)
		append_other_path(draft, (u64)directory.mnt, new);
	return finish(draft);
}
ON_BOTH(path_link, link)

static __always_inline int report_truncate(u64 *context)
{
	return finish(begin_at_path(context, FILE_TRUNCATE));
}
ON_BOTH(path_truncate, truncate)

/* Since 6.2, for ftruncate and for opens with O_TRUNC; path_truncate has the rest. */
static __always_inline int report_truncate_file(u64 *context)
{
	struct file *file = (void *)argument(context, 0);
	struct path path = {};

	read_field(path, file->f_path);
	return finish(begin_watched(FILE_TRUNCATE, (u64)path.mnt, (u64)path.dentry));
}
ON_BOTH(file_truncate, truncate_file)

static __always_inline int report_chmod(u64 *context)
{
	struct act_draft *draft = begin_at_path(context, FILE_CHMOD);

	if (draft)
		set_mode(file_record(draft), argument(context, 1));
	return finish(draft);
}
ON_BOTH(path_chmod, chmod)

/* The node's own user and group numbers. */
static __always_inline int report_chown(u64 *context)
{
	struct act_draft *draft = begin_at_path(context, FILE_CHOWN);

	if (draft)
		set_owners(file_record(draft), argument(context, 1), argument(context, 2));
	return finish(draft);
}
ON_BOTH(path_chown, chown)

/* Before 6.1 programs cannot hook functions that take a structure by value: this one takes numbers, as the caller told them. */
SEC("fentry/chown_common")
int chown_common_function(u64 *context)
{
	return report_chown(context);
}

/* The kernel has no hook for the times of a file that knows its path; this function has served all calls since 5.9. (path, times) */
SEC("fexit/vfs_utimes")
int utimes_returned(u64 *context)
{
	struct act_draft *draft = begin_at_path(context, FILE_UTIMES);

	if (draft)
		tell_result(&file_record(draft)->act, (int)context[2]);
	return finish(draft);
}
