/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Acts on files by way of an io_uring, which makes no system call for them: only for kernels that lack the hooks which both ways pass. The
 * kernel has copied the paths by then, so that nobody can change them; links in them are still to be followed, and so
 * they are told as the caller's.
 */
#include "call.h"
#include "file.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct filename___file {
	const char *name;
};

/* One request. What is asked lies at its beginning, by the operation. */
struct io_kiocb___files {
	u8 opcode;
	u32 flags; /* 64 bits since 6.8: the lower ones are what we ask for. */
};

struct io_open___file {
	int dfd;
	u32 file_slot;
	struct filename___file *filename;
	struct {
		u64 flags;
	} how;
};

struct io_rename___file {
	int old_dfd;
	int new_dfd;
	struct filename___file *oldpath;
	struct filename___file *newpath;
	int flags;
};

struct io_unlink___file {
	int dfd;
	int flags;
	struct filename___file *filename;
};

struct io_mkdir___file {
	int dfd;
	u16 mode;
	struct filename___file *filename;
};

struct io_link___file {
	int old_dfd;
	int new_dfd;
	struct filename___file *oldpath;
	struct filename___file *newpath;
	int flags;
};

struct io_uring_cqe___file {
	int res;
};

/* Since 6.0 the request alone is handed to the tracepoint. */
struct trace_event_raw_io_uring_submit_sqe___named {
	u32 __data_loc_op_str;
};

#pragma clang attribute pop

enum io_uring_operation {
	IORING_OP_OPENAT = 18,
	IORING_OP_OPENAT2 = 28,
	IORING_OP_RENAMEAT = 35,
	IORING_OP_UNLINKAT = 36,
	IORING_OP_MKDIRAT = 37,
	IORING_OP_SYMLINKAT = 38,
	IORING_OP_LINKAT = 39,
};

static __always_inline void read_ring_text(struct filename___file *filename)
{
	struct watch_desk *desk = watch_desk();
	const char *name = NULL;

	read_field(name, filename->name);
	if (desk && bpf_probe_read_kernel_str(desk->text, PATH_LIMIT, name) < 0)
		desk->text[0] = 0;
}

/* As begin_call; watched already where `must` is set. */
static __always_inline struct act_draft *begin_ring_act(u32 kind, int descriptor, struct filename___file *filename, u32 access, int must)
{
	struct text_path place = place_of(descriptor);

	read_ring_text(filename);
	if (desk_text_is_absolute())
		place = (struct text_path){};
	if (!must && !is_text_watched(place.mount, place.dentry, access))
		return NULL;
	return begin_text_act(kind, place.mount, place.dentry) ? act_draft() : NULL;
}

static __always_inline int is_ring_text_watched(int descriptor, struct filename___file *filename)
{
	struct text_path place = place_of(descriptor);

	read_ring_text(filename);
	if (desk_text_is_absolute())
		place = (struct text_path){};
	return is_text_watched(place.mount, place.dentry, WATCH_ALL);
}

static __always_inline void report_ring_pair(u32 kind, struct io_rename___file *pair)
{
	struct filename___file *from = NULL;
	struct filename___file *to = NULL;
	struct text_path place;
	struct act_draft *draft;
	int from_at = 0;
	int to_at = 0;
	u32 flags = 0;

	read_field(from_at, pair->old_dfd);
	read_field(to_at, pair->new_dfd);
	read_field(from, pair->oldpath);
	read_field(to, pair->newpath);
	read_field(flags, pair->flags);
	if (!is_ring_text_watched(from_at, from) && !is_ring_text_watched(to_at, to))
		return;
	draft = begin_ring_act(kind, from_at, from, WATCH_ALL, 1);
	if (!draft)
		return;
	file_record(draft)->flags = flags;
	place = place_of(to_at);
	read_ring_text(to);
	if (!desk_text_is_absolute() && place.dentry)
		append_other_path(draft, place.mount, place.dentry);
	append_desk_text(draft, &file_record(draft)->other_text_length);
	send_act(draft);
}

static __always_inline void report_ring_symlink(struct io_link___file *link)
{
	struct filename___file *text = NULL;
	struct filename___file *path = NULL;
	struct act_draft *draft;
	int at = 0;

	read_field(at, link->new_dfd);
	read_field(text, link->oldpath);
	read_field(path, link->newpath);
	if (!is_ring_text_watched(at, path) && !is_ring_text_watched(at, text))
		return;
	draft = begin_ring_act(FILE_SYMLINK, at, path, WATCH_ALL, 1);
	if (!draft)
		return;
	read_ring_text(text);
	append_desk_text(draft, &file_record(draft)->other_text_length);
	send_act(draft);
}

static __always_inline void report_ring_single(u32 kind, int descriptor, struct filename___file *filename, u32 mode)
{
	struct act_draft *draft = begin_ring_act(kind, descriptor, filename, WATCH_ALL, 0);

	if (!draft)
		return;
	file_record(draft)->mode = mode;
	send_act(draft);
}

#define REQ_F_CQE_SKIP (1 << 6) /* IOSQE_CQE_SKIP_SUCCESS_BIT */

/*
 * An open into the ring's own table: there will be no descriptor to look at. Or one whose success is not told: there will be no completion.
 */
static __always_inline void report_ring_quiet_open(struct io_open___file *open)
{
	struct io_kiocb___files *request = (void *)open;
	struct filename___file *filename = NULL;
	struct act_draft *draft;
	u64 flags = 0;
	u32 slot = 0, request_flags = 0;
	int at = 0;

	read_field(slot, open->file_slot);
	read_field(request_flags, request->flags);
	if (!slot && !(request_flags & REQ_F_CQE_SKIP))
		return;
	read_field(at, open->dfd);
	read_field(filename, open->filename);
	read_field(flags, open->how.flags);
	draft = begin_ring_act(FILE_OPEN, at, filename, access_asked(flags), 0);
	if (!draft)
		return;
	file_record(draft)->flags = flags;
	send_act(draft);
}

static __always_inline u32 ring_kind(u8 operation)
{
	switch (operation) {
	case IORING_OP_OPENAT:
	case IORING_OP_OPENAT2:
		return FILE_OPEN;
	case IORING_OP_RENAMEAT:
		return FILE_RENAME;
	case IORING_OP_UNLINKAT:
		return FILE_UNLINK;
	case IORING_OP_MKDIRAT:
		return FILE_MKDIR;
	case IORING_OP_SYMLINKAT:
		return FILE_SYMLINK;
	case IORING_OP_LINKAT:
		return FILE_LINK;
	}
	return 0;
}

static __always_inline void report_ring_unlink(struct io_unlink___file *unlink)
{
	struct filename___file *filename = NULL;
	u32 flags = 0;
	int at = 0;
	u32 kind;

	read_field(at, unlink->dfd);
	read_field(flags, unlink->flags);
	read_field(filename, unlink->filename);
	kind = flags & AT_REMOVEDIR ? FILE_RMDIR : FILE_UNLINK;
	if (is_wanted(kind))
		report_ring_single(kind, at, filename, 0);
}

static __always_inline void report_ring_mkdir(struct io_mkdir___file *mkdir)
{
	struct filename___file *filename = NULL;
	u16 mode = 0;
	int at = 0;

	read_field(at, mkdir->dfd);
	read_field(mode, mkdir->mode);
	read_field(filename, mkdir->filename);
	report_ring_single(FILE_MKDIR, at, filename, S_IFDIR | (mode & 07777));
}

static __always_inline int report_request(u64 request)
{
	struct io_kiocb___files *common = (void *)request;
	u8 operation = 0;
	u32 kind;

	read_field(operation, common->opcode);
	kind = ring_kind(operation);
	if (!kind || (kind != FILE_UNLINK && !is_wanted(kind)))
		return 0;
	switch (kind) {
	case FILE_OPEN:
		report_ring_quiet_open((void *)request);
		break;
	case FILE_RENAME:
		note_tree_change();
		report_ring_pair(kind, (void *)request);
		break;
	case FILE_LINK:
		report_ring_pair(kind, (void *)request);
		break;
	case FILE_SYMLINK:
		report_ring_symlink((void *)request);
		break;
	case FILE_MKDIR:
		report_ring_mkdir((void *)request);
		break;
	case FILE_UNLINK:
		report_ring_unlink((void *)request);
		break;
	}
	return 0;
}

/* Since 6.3. */
SEC("tp_btf/io_uring_submit_req")
int file_ring_request(u64 *context)
{
	return report_request(argument(context, 0));
}

/* Before; the request comes after the ring up to 5.19. */
SEC("tp_btf/io_uring_submit_sqe")
int file_ring_entry(u64 *context)
{
	struct trace_event_raw_io_uring_submit_sqe___named *event = NULL;

	return report_request(argument(context, field_exists(event->__data_loc_op_str) ? 0 : 1));
}

static __always_inline int report_ring_open(u64 request, s64 result)
{
	struct io_kiocb___files *common = (void *)request;
	struct act_draft *draft;
	struct file *file;
	u8 operation = 0;

	if (result < 0)
		return 0;
	read_field(operation, common->opcode);
	if (operation != IORING_OP_OPENAT && operation != IORING_OP_OPENAT2)
		return 0;
	file = open_file(result);
	draft = file ? begin_open(file, 0) : NULL;
	if (!draft)
		return 0;
	file_record(draft)->act.result = result;
	file_record(draft)->act.header.flags |= ACT_RESULT_KNOWN;
	send_act(draft);
	return 0;
}

/* An open has ended, and its descriptor is there. Since 6.14 the whole completion is handed to the tracepoint. */
SEC("tp_btf/io_uring_complete")
int file_ring_opened(u64 *context)
{
	struct io_uring_cqe___file *completion = (void *)context[2];

	return report_ring_open(argument(context, 1), completion->res);
}

/* Before, the result. */
SEC("tp_btf/io_uring_complete")
int file_ring_opened_result(u64 *context)
{
	return report_ring_open(argument(context, 1), (int)context[3]);
}
