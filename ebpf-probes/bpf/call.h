/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * System calls at their end, for kernels without better hooks. One program looks at every call of the machine
 * and asks a table whether anybody wants it; the programs that do are tail-called, each loaded by itself.
 */
#ifndef DEFENDER_CALL_H
#define DEFENDER_CALL_H

#include "act.h"

#define NATIVE_CALLS 512 /* Numbers of 32-bit calls (int 0x80) follow, for a 64-bit program may make them too. */
#define X32_CALL 0x40000000 /* __X32_SYSCALL_BIT of arch/x86/include/uapi/asm/unistd.h */
#define TS_COMPAT 0x0002 /* arch/x86/include/asm/thread_info.h */
#define CALL_HANDLERS 64

/* Which arguments a call has, for programs that handle many. As CallShape of src/hooks/calls.rs. */
enum call_shape {
	CALL_BY_NUMBER, /* The program tells calls apart by their numbers. */
	CALL_OPENAT,
	CALL_OPEN,
	CALL_CREAT,
	CALL_OPENAT2,
	CALL_OPEN_HANDLE,
	CALL_PATH,
	CALL_AT,
	CALL_SETXATTRAT,
	CALL_DESCRIPTOR,
	CALL_PAIR,
	CALL_PAIR_AT,
	CALL_RENAMEAT,
	CALL_SYMLINK,
	CALL_SYMLINKAT,
	CALL_IOCTL,
	CALL_MOUNT,
	CALL_UMOUNT,
	CALL_MOVE_MOUNT,
};

/* Who handles a call. */
struct call_route {
	u16 handler; /* The index of a program in call_handlers, 0 for nobody. */
	u16 kind;    /* Of the record that it gives. */
	u16 shape;
	u16 either; /* Of a native number: whether anybody handles it, or the 32-bit call of the same number. */
};

/* By number of the call. User space fills it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * NATIVE_CALLS);
	__type(key, u32);
	__type(value, struct call_route);
} call_routes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, CALL_HANDLERS);
	__type(key, u32);
	__type(value, u32);
} call_handlers SEC(".maps");

/* A call that has ended. */
struct call {
	u32 number; /* Index in call_routes. */
	u16 kind;
	u16 shape;
	s64 result;
	u64 arguments[6]; /* As the caller passed them: registers, which no other thread can change. */
};

static __always_inline int is_compat(void)
{
	u32 status = 0;

	if (!field_exists(((struct pt_regs___x86 *)0)->orig_ax))
		return 0;
	if (helper_exists(get_current_task_btf)) {
		status = bpf_get_current_task_btf()->thread_info.status;
	} else {
		struct task_struct *task = bpf_get_current_task();

		read_field(status, task->thread_info.status);
	}
	return status & TS_COMPAT;
}

/* The number as the caller passed it, which says nothing yet of its width. Calls of the x32 ABI have the same numbers up to NATIVE_CALLS. */
static __always_inline u32 bare_call_number(u64 *context)
{
	struct pt_regs___x86 *x86 = (void *)context[0];
	struct pt_regs___arm64 *arm64 = (void *)context[0];

	return field_exists(x86->orig_ax) ? x86->orig_ax & ~X32_CALL : (u32)arm64->syscallno;
}

/* Index in call_routes. */
static __always_inline u32 call_number(u64 *context)
{
	u32 number = bare_call_number(context);

	return number < NATIVE_CALLS && is_compat() ? number + NATIVE_CALLS : number;
}

static __always_inline void read_arguments(struct call *call, u64 *context)
{
	struct pt_regs___x86 *x86 = (void *)context[0];
	struct pt_regs___arm64 *arm64 = (void *)context[0];

	if (!field_exists(x86->orig_ax)) {
		call->arguments[0] = arm64->orig_x0;
		call->arguments[1] = arm64->regs[1];
		call->arguments[2] = arm64->regs[2];
		call->arguments[3] = arm64->regs[3];
		call->arguments[4] = arm64->regs[4];
		call->arguments[5] = arm64->regs[5];
	} else if (call->number >= NATIVE_CALLS) {
		call->arguments[0] = (u32)x86->bx;
		call->arguments[1] = (u32)x86->cx;
		call->arguments[2] = (u32)x86->dx;
		call->arguments[3] = (u32)x86->si;
		call->arguments[4] = (u32)x86->di;
		call->arguments[5] = (u32)x86->bp;
	} else {
		call->arguments[0] = x86->di;
		call->arguments[1] = x86->si;
		call->arguments[2] = x86->dx;
		call->arguments[3] = x86->r10;
		call->arguments[4] = x86->r8;
		call->arguments[5] = x86->r9;
	}
}

/* What a handler begins with. False where the table changed meanwhile. */
static __always_inline int read_call(struct call *call, u64 *context)
{
	u32 number = call_number(context);
	struct call_route *route = bpf_map_lookup_elem(&call_routes, &number);

	if (!route)
		return 0;
	call->number = number;
	call->kind = route->kind;
	call->shape = route->shape;
	call->result = (s64)context[1];
	read_arguments(call, context);
	return route->handler != 0;
}

/* The record's fields that tell of the call itself. */
static __always_inline void tell_call(struct act_head *head, const struct call *call)
{
	head->call = call->number;
	head->result = call->result;
	head->header.flags |= ACT_RESULT_KNOWN;
}

/* The open file of a descriptor of the current process. NULL where there is none. */
static __always_inline struct file *open_file(u32 descriptor)
{
	struct files_struct *files = NULL;
	struct fdtable *table = NULL;
	struct file **slots = NULL;
	struct file *file = NULL;
	u32 limit = 0;

	if (helper_exists(get_current_task_btf)) {
		table = bpf_get_current_task_btf()->files->fdt;
		limit = table->max_fds;
		slots = table->fd;
	} else {
		struct task_struct *task = bpf_get_current_task();

		read_field(files, task->files);
		read_field(table, files->fdt);
		read_field(limit, table->max_fds);
		read_field(slots, table->fd);
	}
	if (descriptor >= limit)
		return NULL;
	bpf_probe_read_kernel(&file, sizeof(file), slots + descriptor);
	return file;
}

#endif
