/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What a process reads, writes and takes of another one: its memory and its descriptors. Whoever may do so could trace it as well. */
#include "system.h"
#include "system_target.h"

#define CALL_PROCESS_VM_READV 310, 270, 347
#define CALL_PROCESS_VM_WRITEV 311, 271, 348

/* Values of SYSTEM_PROCESS_VM_READV and SYSTEM_PROCESS_VM_WRITEV. */
enum memory_access_values {
	MEMORY_ACCESS_PID,
	MEMORY_ACCESS_PARTS, /* How many of the target's memory. */
};

/* Values of SYSTEM_PIDFD_GETFD. */
enum getfd_values {
	GETFD_PID,	  /* Of the process that the caller's descriptor stood for. */
	GETFD_DESCRIPTOR, /* As the target numbers it. */
};

/* The kernel asks nobody for a process's access to itself, of which some programs make much use: it is told nowhere. */
static __always_inline int is_current_process(struct task_struct *target)
{
	struct task_struct *task = bpf_get_current_task();
	u32 own = 0, other = 0;

	read_field(own, task->tgid);
	read_field(other, target->tgid);
	return own == other;
}

static __always_inline int report_memory_access(u32 kind, const struct call *call, struct task_struct *target, int ended)
{
	struct act_draft *draft;

	if (is_current_process(target))
		return 0;
	draft = begin_system(kind, call, ended);
	if (!draft)
		return 0;
	tell(draft, MEMORY_ACCESS_PID, (u32)call->arguments[0]);
	tell(draft, MEMORY_ACCESS_PARTS, call->arguments[4]);
	tell_target(draft, target);
	send_act(draft);
	return 0;
}

/* As system_ptrace_attach. */
static __always_inline int system_readv(u64 *context)
{
	struct call call;

	if (!is_attach(context))
		return 0;
	current_call(&call);
	if (!is_call(&call, CALL_PROCESS_VM_READV))
		return 0;
	return report_memory_access(SYSTEM_PROCESS_VM_READV, &call, (void *)context[0], 0);
}
SECURITY_HOOK(system_readv, ptrace_access_check)

static __always_inline int system_writev(u64 *context)
{
	struct call call;

	if (!is_attach(context))
		return 0;
	current_call(&call);
	if (!is_call(&call, CALL_PROCESS_VM_WRITEV))
		return 0;
	return report_memory_access(SYSTEM_PROCESS_VM_WRITEV, &call, (void *)context[0], 0);
}
SECURITY_HOOK(system_writev, ptrace_access_check)

static __always_inline int report_getfd(const struct call *call, struct task_struct *target, int ended)
{
	struct system_record *record;
	struct act_draft *draft;

	if (is_current_process(target))
		return 0;
	draft = begin_system(SYSTEM_PIDFD_GETFD, call, ended);
	if (!draft)
		return 0;
	record = (void *)draft->bytes;
	tell_target(draft, target);
	if (target)
		tell(draft, GETFD_PID, record->target.pid);
	tell(draft, GETFD_DESCRIPTOR, (u32)call->arguments[1]);
	if (ended)
		tell_descriptor_is_shared(draft);
	send_act(draft);
	return 0;
}

static __always_inline int system_getfd(u64 *context)
{
	struct call call;

	if (!is_attach(context))
		return 0;
	current_call(&call);
	return is_call(&call, CALL_PIDFD_GETFD) ? report_getfd(&call, (void *)context[0], 0) : 0;
}
SECURITY_HOOK(system_getfd, ptrace_access_check)

static __always_inline int memory_access_ended(const struct call *call)
{
	return report_memory_access(call->kind, call, (void *)task_numbered(call->arguments[0]), 1);
}

static __always_inline int getfd_ended(const struct call *call)
{
	return report_getfd(call, (void *)task_of_descriptor(call->arguments[0]), 1);
}

SEC("tp_btf/sys_exit")
int system_access_call(u64 *context)
{
	struct call call = {};

	if (!read_call(&call, context))
		return 0;
	if (call.kind != SYSTEM_PIDFD_GETFD)
		return memory_access_ended(&call);
	getfd_ended(&call);
	/* A call has one handler: what else pidfd_getfd may be is told here as well. */
	return is_dup_routed() ? dup_ended(&call) : 0;
}
