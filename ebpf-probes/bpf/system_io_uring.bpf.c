/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* io_uring: rings that are made, and the operations that are given to them, which are no system calls. */
#include "system.h"
#include "system_fold.h"

/* Values of SYSTEM_IO_URING_SETUP. */
enum ring_values {
	RING_FLAGS,
	RING_ENTRIES,
	RING_COMPLETIONS,
	RING_DESCRIPTOR,
};

/* Values of SYSTEM_IO_URING. */
enum operation_values {
	OPERATION_CODE,
	OPERATION_DESCRIPTOR, /* Of the file that it is about, or of the directory that a name begins at. */
	OPERATION_FIXED,      /* The descriptor is one of the ring's own table. */
	OPERATION_ADDRESS,    /* Four values: what a connect was asked for, as struct sockaddr. */
	OPERATION_COUNT = OPERATION_ADDRESS + 4, /* Operations that the record stands for. */
};

/* include/uapi/linux/io_uring.h */
#define IORING_OP_CONNECT 16
#define IORING_OP_OPENAT 18
#define IORING_OP_STATX 21
#define IORING_OP_OPENAT2 28
#define IORING_OP_RENAMEAT 35
#define IORING_OP_UNLINKAT 36
#define IORING_OP_MKDIRAT 37
#define IORING_OP_SYMLINKAT 38
#define IORING_OP_LINKAT 39
#define REQ_F_FIXED_FILE 1
#define SOCKADDR_BYTES 28 /* struct sockaddr_in6 */

/* (descriptor, ring, entries for submission, for completion, flags) */
SEC("tp_btf/io_uring_create")
int system_ring_made(u64 *context)
{
	struct act_draft *draft;
	struct call call;

	current_call(&call);
	/* The ring is made: the call returns its descriptor. */
	call.result = (u32)context[0];
	draft = begin_system(SYSTEM_IO_URING_SETUP, &call, 1);
	if (!draft)
		return 0;
	tell(draft, RING_FLAGS, (u32)context[4]);
	tell(draft, RING_ENTRIES, (u32)context[2]);
	tell(draft, RING_COMPLETIONS, (u32)context[3]);
	tell(draft, RING_DESCRIPTOR, (u32)context[0]);
	send_act(draft);
	return 0;
}

/* A name that the kernel has copied from the caller already: nobody can change it any more. */
static __always_inline u16 append_operation_name(struct act_draft *draft, struct filename___name *name)
{
	const char *text = NULL;

	read_field(text, name->name);
	return append_kernel_text(draft, text, PATH_LIMIT);
}

static __always_inline void tell_names(struct act_draft *draft, void *request, u32 operation)
{
	struct system_record *record = (void *)draft->bytes;
	struct filename___name *first = NULL;
	struct filename___name *second = NULL;
	int directory = 0;

	if (operation == IORING_OP_OPENAT || operation == IORING_OP_OPENAT2) {
		struct io_open *open = request;

		read_field(first, open->filename);
		read_field(directory, open->dfd);
	} else if (operation == IORING_OP_UNLINKAT && field_exists(((struct io_unlink *)0)->filename)) {
		struct io_unlink *unlink = request;

		read_field(first, unlink->filename);
		read_field(directory, unlink->dfd);
	} else if (operation == IORING_OP_MKDIRAT && field_exists(((struct io_mkdir *)0)->filename)) {
		struct io_mkdir *mkdir = request;

		read_field(first, mkdir->filename);
		read_field(directory, mkdir->dfd);
	} else if (operation == IORING_OP_RENAMEAT && field_exists(((struct io_rename *)0)->oldpath)) {
		struct io_rename *rename = request;

		read_field(first, rename->oldpath);
		read_field(second, rename->newpath);
		read_field(directory, rename->old_dfd);
	} else if (field_exists(((struct io_link *)0)->oldpath)) {
		struct io_link *link = request;

		read_field(first, link->oldpath);
		read_field(second, link->newpath);
		read_field(directory, link->old_dfd);
	} else if (field_exists(((struct io_hardlink *)0)->oldpath)) {
		struct io_hardlink *link = request;

		read_field(first, link->oldpath);
		read_field(second, link->newpath);
		read_field(directory, link->old_dfd);
	}
	tell(draft, OPERATION_DESCRIPTOR, (u32)directory);
	record->text_length = append_operation_name(draft, first);
	if (second)
		record->other_text_length = append_operation_name(draft, second);
}

static __always_inline int has_names(u32 operation)
{
	return operation == IORING_OP_OPENAT || operation == IORING_OP_OPENAT2 ||
	       (operation >= IORING_OP_RENAMEAT && operation <= IORING_OP_LINKAT);
}

/* The caller's memory: the record says so. What the kernel connects to, its hooks for sockets tell. */
static __always_inline void tell_address(struct act_draft *draft, struct io_kiocb *request)
{
	struct system_record *record = (void *)draft->bytes;
	struct io_connect *connect = (void *)request;
	u64 address[4] = {};
	void *from = NULL;

	read_field(from, connect->addr);
	bpf_probe_read_user(address, SOCKADDR_BYTES, from);
	record->act.header.flags |= SYSTEM_OF_CALLER;
	tell(draft, OPERATION_ADDRESS, address[0]);
	tell(draft, OPERATION_ADDRESS + 1, address[1]);
	tell(draft, OPERATION_ADDRESS + 2, address[2]);
	tell(draft, OPERATION_ADDRESS + 3, address[3]);
}

static __always_inline void tell_operation_file(struct act_draft *draft, struct io_kiocb *request)
{
	struct file *file = NULL;
	u32 flags = 0;
	int descriptor = -1;

	read_field(flags, request->flags);
	tell(draft, OPERATION_FIXED, flags & REQ_F_FIXED_FILE);
	if (field_exists(request->cqe.fd)) {
		read_field(descriptor, request->cqe.fd);
		tell(draft, OPERATION_DESCRIPTOR, (u32)descriptor);
		if (descriptor >= 0 && !(flags & REQ_F_FIXED_FILE)) {
			file = open_file(descriptor);
			tell_descriptor_is_shared(draft);
		}
	} else {
		read_field(file, request->file);
	}
	tell_file(draft, file);
}

/* The kernel has taken an operation from the ring, and begins it. */
static __always_inline int operation_given(struct io_kiocb *request)
{
	struct act_draft *draft;
	struct call call;
	u8 operation = 0;
	u64 count = 1;

	read_field(operation, request->opcode);
	/* Those that name a file or another end are told one by one. */
	if (!has_names(operation) && operation != IORING_OP_CONNECT)
		count = acts_to_tell(SYSTEM_IO_URING, operation);
	if (!count)
		return 0;
	current_call(&call);
	draft = begin_system(SYSTEM_IO_URING, &call, 0);
	if (!draft)
		return 0;
	tell(draft, OPERATION_CODE, operation);
	tell(draft, OPERATION_COUNT, count);
	if (has_names(operation))
		tell_names(draft, request, operation);
	else
		tell_operation_file(draft, request);
	if (operation == IORING_OP_CONNECT)
		tell_address(draft, request);
	send_act(draft);
	return 0;
}

SEC("tp_btf/io_uring_submit_req")
int system_operation_request(u64 *context)
{
	return operation_given((void *)context[0]);
}

/* Up to 6.2. The operation came second, without its type, up to 5.18. */
SEC("tp_btf/io_uring_submit_sqe")
int system_operation_entry(u64 *context)
{
	if (field_exists(((struct trace_event_raw_io_uring_submit_sqe *)0)->__data_loc_op_str))
		return operation_given((void *)context[0]);
	return operation_given((void *)context[1]);
}
