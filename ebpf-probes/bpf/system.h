/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Records of acts on processes, on the kernel, and on memory. ebpf-probes/src/decode/system.rs reads them. */
#ifndef DEFENDER_SYSTEM_H
#define DEFENDER_SYSTEM_H

#include "call.h"
#include "system_types.h"

/* In the order of event_model::SystemAct. */
enum system_act {
	SYSTEM_SETUID = RECORD_SYSTEM,
	SYSTEM_SETGID,
	SYSTEM_CAPSET,
	SYSTEM_SETNS,
	SYSTEM_UNSHARE,
	SYSTEM_CHROOT,
	SYSTEM_PIVOT_ROOT,
	SYSTEM_PTRACE,
	SYSTEM_PROCESS_VM_READV,
	SYSTEM_PROCESS_VM_WRITEV,
	SYSTEM_PIDFD_GETFD,
	SYSTEM_PRCTL,
	SYSTEM_KILL,
	SYSTEM_SETSID,
	SYSTEM_DUP,
	SYSTEM_MEMFD_CREATE,
	SYSTEM_MPROTECT,
	SYSTEM_MMAP,
	SYSTEM_MODULE_LOAD,
	SYSTEM_MODULE_UNLOAD,
	SYSTEM_BPF,
	SYSTEM_KEXEC_LOAD,
	SYSTEM_USERFAULTFD,
	SYSTEM_IO_URING_SETUP,
	SYSTEM_IO_URING,
	SYSTEM_KEYCTL,
	SYSTEM_PERF_EVENT_OPEN,
};

enum system_flags {
	SYSTEM_DETACHED = 1 << 4,  /* The path's file lies in no mounted tree. */
	SYSTEM_TRUNCATED = 1 << 5, /* The path lacks its upper part. */
	SYSTEM_OTHER_TRUNCATED = 1 << 6,
	SYSTEM_OF_CALLER = 1 << 7, /* Texts and addresses are the caller's memory, or what a descriptor stood for that threads share: they may
				      have been changed meanwhile. */
};

#define SYSTEM_VALUES 8

struct system_record {
	struct act_head act;
	struct process_key target; /* Process id 0: there is none. */
	u64 values[SYSTEM_VALUES]; /* What they are, each act's reader knows. */
	u16 known;		   /* A bit for each value that the hook could tell. */
	/* Lengths of the variable parts. */
	u16 path_length;  /* Components upwards, each with its NUL. */
	u16 other_length; /* As path, of the second path. */
	u16 text_length;  /* With its NUL. */
	u16 other_text_length;
	u16 padding[3];
};

_Static_assert(sizeof(struct system_record) == 176, "src/decode/system.rs reads so many");

/* Registers of the call that the current task is in. NULL where the kernel does not tell. */
static __always_inline void *current_registers(void)
{
	struct task_struct___system *task;
	void *stack = NULL;

	if (enum_value_exists(enum bpf_func_id___registers, BPF_FUNC_task_pt_regs))
		return bpf_task_pt_regs(bpf_get_current_task_btf());
	/* Before 5.15: they lie at the end of the task's stack. */
	task = (void *)bpf_get_current_task();
	read_field(stack, task->stack);
	if (field_exists(((struct pt_regs___x86 *)0)->orig_ax))
		return stack + THREAD_SIZE - type_size(struct pt_regs___x86);
	return stack + THREAD_SIZE - type_size(struct pt_regs___arm64);
}

/* The call that the current task is in: it has not ended yet. Of use for scalars, which nobody can change. */
static __always_inline void current_call(struct call *call)
{
	void *registers = current_registers();
	struct pt_regs___x86 *x86 = registers;
	struct pt_regs___arm64 *arm64 = registers;
	unsigned long long number = 0;

	__builtin_memset(call, 0, sizeof(*call));
	call->number = NO_CALL;
	if (!field_exists(x86->orig_ax)) {
		int given = -1;

		read_field(given, arm64->syscallno);
		number = given;
		read_field(call->arguments[0], arm64->orig_x0);
		bpf_probe_read_kernel(&call->arguments[1], 5 * sizeof(u64), &arm64->regs[1]);
	} else {
		read_field(number, x86->orig_ax);
		if (is_compat() && number < NATIVE_CALLS) {
			number += NATIVE_CALLS;
			bpf_probe_read_kernel(&call->arguments[0], sizeof(u32), &x86->bx);
			bpf_probe_read_kernel(&call->arguments[1], sizeof(u32), &x86->cx);
			bpf_probe_read_kernel(&call->arguments[2], sizeof(u32), &x86->dx);
			bpf_probe_read_kernel(&call->arguments[3], sizeof(u32), &x86->si);
			bpf_probe_read_kernel(&call->arguments[4], sizeof(u32), &x86->di);
		} else {
			read_field(call->arguments[0], x86->di);
			read_field(call->arguments[1], x86->si);
			read_field(call->arguments[2], x86->dx);
			read_field(call->arguments[3], x86->r10);
			read_field(call->arguments[4], x86->r8);
			read_field(call->arguments[5], x86->r9);
		}
	}
	if (number < 2 * NATIVE_CALLS)
		call->number = number;
}

static __always_inline u32 current_call_number(void)
{
	void *registers = current_registers();
	struct pt_regs___x86 *x86 = registers;
	struct pt_regs___arm64 *arm64 = registers;
	unsigned long long number = 0;

	if (!field_exists(x86->orig_ax)) {
		int given = -1;

		read_field(given, arm64->syscallno);
		number = given;
	} else {
		read_field(number, x86->orig_ax);
		if (is_compat() && number < NATIVE_CALLS)
			number += NATIVE_CALLS;
	}
	return number < 2 * NATIVE_CALLS ? number : NO_CALL;
}

/* Whether a call has one of these numbers: on x86_64, on arm64, and of 32-bit programs on x86_64. */
static __always_inline int is_call(const struct call *call, u32 x86_64, u32 arm64, u32 i386)
{
	if (!field_exists(((struct pt_regs___x86 *)0)->orig_ax))
		return call->number == arm64;
	return call->number == x86_64 || call->number == NATIVE_CALLS + i386;
}

/* Begins the record of an act that is seen inside of a call, or at its end. NULL where there is no draft. */
static __always_inline struct act_draft *begin_system(u32 kind, const struct call *call, int ended)
{
	struct act_draft *draft = begin_act(kind, sizeof(struct system_record));
	struct system_record *record;

	if (!draft)
		return NULL;
	record = (void *)draft->bytes;
	if (ended)
		tell_call(&record->act, call);
	else
		record->act.call = call->number;
	return draft;
}

static __always_inline void tell(struct act_draft *draft, u32 place, u64 value)
{
	struct system_record *record = (void *)draft->bytes;

	record->values[place] = value;
	record->known |= 1 << place;
}

static __always_inline void tell_target(struct act_draft *draft, struct task_struct *task)
{
	struct system_record *record = (void *)draft->bytes;

	if (task)
		read_process_key_by_address(&record->target, task);
}

/* Appends the path of (mount, dentry), up to the root of the process, or of its mount namespace. Returns its length. */
static __always_inline u16 append_system_path(struct act_draft *draft, struct path *path, int whole, u16 truncated)
{
	struct system_record *record = (void *)draft->bytes;
	struct task_struct *task = bpf_get_current_task();
	struct fs_struct *fs = NULL;
	struct path root = {};
	u64 before = draft->used;
	int end;

	if (!whole) {
		read_field(fs, task->fs);
		read_field(root, fs->root);
	}
	end = append_act_path((u64)path->mnt, (u64)path->dentry, (u64)root.mnt, (u64)root.dentry);
	if (end & WALK_DETACHED)
		record->act.header.flags |= SYSTEM_DETACHED;
	if (end & WALK_TRUNCATED)
		record->act.header.flags |= truncated;
	return draft->used - before;
}

static __always_inline void tell_path(struct act_draft *draft, struct path *path)
{
	struct system_record *record = (void *)draft->bytes;

	record->path_length = append_system_path(draft, path, 0, SYSTEM_TRUNCATED);
}

/*
 * What a descriptor stands for is looked up once the call has ended. Another thread may have put another file there by then,
 * if there is one that shares descriptors: the record says so.
 */
static __always_inline void tell_descriptor_is_shared(struct act_draft *draft)
{
	struct system_record *record = (void *)draft->bytes;
	struct task_struct *task = bpf_get_current_task();
	struct files_struct *files = NULL;
	int count = 0;

	read_field(files, task->files);
	read_field(count, files->count.counter);
	if (count > 1)
		record->act.header.flags |= SYSTEM_OF_CALLER;
}

static __always_inline void tell_file(struct act_draft *draft, struct file *file)
{
	struct path path = {};

	if (!file)
		return;
	read_field(path, file->f_path);
	tell_path(draft, &path);
}

/* The file of a descriptor that the call was given. */
static __always_inline void tell_descriptor(struct act_draft *draft, u32 descriptor)
{
	tell_file(draft, open_file(descriptor));
	tell_descriptor_is_shared(draft);
}

static __always_inline void tell_text(struct act_draft *draft, const void *text)
{
	struct system_record *record = (void *)draft->bytes;

	record->text_length = append_kernel_text(draft, text, COMPONENT_LIMIT);
}

/* For want of anything better; the record says so. */
static __always_inline void tell_callers_text(struct act_draft *draft, const void *text)
{
	struct system_record *record = (void *)draft->bytes;

	record->text_length = append_user_text(draft, text, PATH_LIMIT);
	record->act.header.flags |= SYSTEM_OF_CALLER;
}

/* The program of a security hook, for both ways to attach it. The arguments are the same. */
#define SECURITY_HOOK(act, hook)                                                                                       \
	SEC("lsm/" #hook) int act##_lsm(u64 *context)                                                                  \
	{                                                                                                              \
		return act(context);                                                                                   \
	}                                                                                                              \
	SEC("fentry/security_" #hook) int act##_function(u64 *context)                                                 \
	{                                                                                                              \
		return act(context);                                                                                   \
	}

#endif
