/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What a process does to other processes, and to hide or free itself. */
#include "system.h"
#include "system_target.h"

#define CALL_PTRACE 101, 117, 26
#define CALL_PRCTL 157, 167, 172

/* Values of SYSTEM_PTRACE. */
enum ptrace_values {
	PTRACE_REQUEST,
	PTRACE_PID, /* As the caller gave it. */
	PTRACE_ADDRESS,
	PTRACE_DATA,
};

/* Values of SYSTEM_PRCTL: the call's arguments. */
enum prctl_values {
	PRCTL_OPTION,
	PRCTL_FIRST,
	PRCTL_SECOND,
	PRCTL_THIRD,
};

/* Values of SYSTEM_KILL. */
enum kill_values {
	KILL_SIGNAL,
	KILL_CODE,
	KILL_THREAD, /* The signal goes to one thread. */
};

/* include/uapi/linux/ptrace.h */
#define PTRACE_TRACEME 0
#define PTRACE_POKETEXT 4
#define PTRACE_POKEDATA 5
#define PTRACE_POKEUSR 6
#define PTRACE_KILL 8
#define PTRACE_SETREGS 13
#define PTRACE_SETFPREGS 15
#define PTRACE_ATTACH 16
#define PTRACE_SETREGSET 0x4205
#define PTRACE_SEIZE 0x4206

static __always_inline int report_ptrace(const struct call *call, struct task_struct *target, int ended)
{
	struct act_draft *draft = begin_system(SYSTEM_PTRACE, call, ended);

	if (!draft)
		return 0;
	tell(draft, PTRACE_REQUEST, (u32)call->arguments[0]);
	tell(draft, PTRACE_PID, (u32)call->arguments[1]);
	tell(draft, PTRACE_ADDRESS, call->arguments[2]);
	tell(draft, PTRACE_DATA, call->arguments[3]);
	tell_target(draft, target);
	send_act(draft);
	return 0;
}

/* What changes a process that is traced already. Reading it and letting it go on, which debuggers do all the time, is not told. */
static __always_inline int changes_the_traced(u64 request)
{
	return request == PTRACE_POKETEXT || request == PTRACE_POKEDATA || request == PTRACE_POKEUSR ||
	       request == PTRACE_KILL || request == PTRACE_SETREGS || request == PTRACE_SETFPREGS ||
	       request == PTRACE_SETREGSET;
}

static __always_inline int begins_tracing(u64 request)
{
	return request == PTRACE_TRACEME || request == PTRACE_ATTACH || request == PTRACE_SEIZE;
}

static __always_inline int system_ptrace_attach(u64 *context)
{
	struct call call;

	if (!is_attach(context))
		return 0;
	current_call(&call);
	return is_call(&call, CALL_PTRACE) ? report_ptrace(&call, (void *)context[0], 0) : 0;
}
SECURITY_HOOK(system_ptrace_attach, ptrace_access_check)

/* The parent is to trace the current process. (parent) */
static __always_inline int system_ptrace_traceme(u64 *context)
{
	struct call call;

	current_call(&call);
	return report_ptrace(&call, (void *)context[0], 0);
}
SECURITY_HOOK(system_ptrace_traceme, ptrace_traceme)

/* (child, request, address, data) */
static __always_inline int system_ptrace_request(u64 *context)
{
	struct call call;

	if (!changes_the_traced(context[1]))
		return 0;
	current_call(&call);
	return report_ptrace(&call, (void *)context[0], 0);
}

SEC("fentry/arch_ptrace")
int system_ptrace_request_function(u64 *context)
{
	return system_ptrace_request(context);
}

SEC("fentry/compat_arch_ptrace")
int system_ptrace_compat_function(u64 *context)
{
	return system_ptrace_request(context);
}

/* include/uapi/linux/prctl.h */
#define PR_SET_DUMPABLE 4
#define PR_SET_KEEPCAPS 8
#define PR_SET_NAME 15
#define PR_SET_SECUREBITS 28
#define PR_TASK_PERF_EVENTS_DISABLE 31
#define PR_SET_MM 35
#define PR_CAP_AMBIENT 47
#define PR_CAP_AMBIENT_RAISE 2
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SET_PTRACER 0x59616d61

/* Whether the current thread is the one whose name is the process's. */
static __always_inline int is_first_thread(void)
{
	struct task_struct *task = bpf_get_current_task();
	u32 thread = 0, process = 0;

	read_field(thread, task->pid);
	read_field(process, task->tgid);
	return thread == process;
}

/*
 * What hides a process (another name, another command line, no dumps, no performance events, calls that go elsewhere) or
 * frees it (capabilities kept over setuid and exec, tracing by another). Options that only give something up
 * (PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP) are not told, nor are the names of threads.
 */
static __always_inline int hides_or_frees(u64 option, u64 first)
{
	if (option == PR_SET_NAME)
		return is_first_thread();
	if (option == PR_CAP_AMBIENT)
		return first == PR_CAP_AMBIENT_RAISE;
	return option == PR_SET_DUMPABLE || option == PR_SET_KEEPCAPS || option == PR_SET_SECUREBITS ||
	       option == PR_TASK_PERF_EVENTS_DISABLE || option == PR_SET_MM || option == PR_SET_SYSCALL_USER_DISPATCH ||
	       option == PR_SET_PTRACER;
}

static __always_inline struct act_draft *begin_prctl(const struct call *call, const u64 *arguments, int ended)
{
	struct act_draft *draft = begin_system(SYSTEM_PRCTL, call, ended);

	if (!draft)
		return NULL;
	tell(draft, PRCTL_OPTION, (u32)arguments[0]);
	tell(draft, PRCTL_FIRST, arguments[1]);
	tell(draft, PRCTL_SECOND, arguments[2]);
	tell(draft, PRCTL_THIRD, arguments[3]);
	return draft;
}

/* The arguments of the call. A name is still the caller's memory here: see system_rename. */
static __always_inline int system_prctl(u64 *context)
{
	u64 arguments[4] = { (u32)context[0], context[1], context[2], context[3] };
	struct act_draft *draft;
	struct call call;

	if (arguments[0] == PR_SET_NAME || !hides_or_frees(arguments[0], arguments[1]))
		return 0;
	current_call(&call);
	draft = begin_prctl(&call, arguments, 0);
	if (draft)
		send_act(draft);
	return 0;
}
SECURITY_HOOK(system_prctl, task_prctl)

/* A task gets another name: the kernel's copy. Exec gives names too. (task, name) */
SEC("tp_btf/task_rename")
int system_rename(u64 *context)
{
	struct act_draft *draft;
	struct call call;

	if (!is_first_thread())
		return 0;
	current_call(&call);
	if (!is_call(&call, CALL_PRCTL))
		return 0;
	draft = begin_prctl(&call, call.arguments, 0);
	if (!draft)
		return 0;
	tell_text(draft, (void *)context[1]);
	send_act(draft);
	return 0;
}

static __always_inline int prctl_ended(const struct call *call)
{
	struct task_struct___system *task = (void *)bpf_get_current_task();
	u64 option = (u32)call->arguments[0];
	struct act_draft *draft;

	if (!hides_or_frees(option, call->arguments[1]))
		return 0;
	draft = begin_prctl(call, call->arguments, 1);
	if (!draft)
		return 0;
	if (option == PR_SET_NAME)
		tell_text(draft, &task->comm);
	send_act(draft);
	return 0;
}

/* include/uapi/linux/signal.h, include/uapi/asm-generic/siginfo.h */
#define SIGHUP 1
#define SIGINT 2
#define SIGQUIT 3
#define SIGABRT 6
#define SIGKILL 9
#define SIGTERM 15
#define SIGCHLD 17
#define SIGCONT 18
#define SIGSTOP 19
#define SIGURG 23
#define SIGWINCH 28
#define SI_USER 0
#define SI_QUEUE -1
#define SI_TKILL -6
#define SEND_SIG_NOINFO 0
#define SEND_SIG_PRIV 1
#define TRACE_SIGNAL_DELIVERED 0

/* By a process, and not by the kernel: a kill, or a signal with a value, which can bear any negative code. */
static __always_inline int is_sent_by_a_process(struct kernel_siginfo *info, u32 signal, int *code)
{
	if ((u64)info == SEND_SIG_PRIV || (u64)info == SEND_SIG_NOINFO)
		return 0;
	read_field(*code, info->si_code);
	if (*code == SI_USER || *code == SI_QUEUE || *code == SI_TKILL)
		return 1;
	/* Timers and queues of messages have such codes too, and come while any process runs; but not with these. */
	return *code < 0 && (signal == SIGKILL || signal == SIGSTOP);
}

/* Ends or stops the process, if only by asking it to. What it handles otherwise is a matter of its own. */
static __always_inline int ends_or_stops(struct task_struct *target, u32 signal)
{
	struct task_struct___system *task = (void *)target;
	struct sighand_struct *handlers = NULL;
	void *handler = NULL;

	if (signal == SIGKILL || signal == SIGSTOP || signal == SIGTERM || signal == SIGINT || signal == SIGQUIT ||
	    signal == SIGHUP || signal == SIGABRT)
		return 1;
	if (signal == SIGCHLD || signal == SIGCONT || signal == SIGURG || signal == SIGWINCH || signal == 0 || signal > 64)
		return 0;
	read_field(handlers, task->sighand);
	bpf_probe_read_kernel(&handler, sizeof(handler),
			      (void *)&handlers->action + (signal - 1) * type_size(struct k_sigaction) +
				      field_offset(struct k_sigaction, sa.sa_handler));
	return handler == NULL; /* SIG_DFL */
}

/* (signal, info, target, to the whole process, outcome) */
SEC("tp_btf/signal_generate")
int system_kill(u64 *context)
{
	struct task_struct *target = (void *)context[2];
	struct task_struct *sender = bpf_get_current_task();
	struct system_record *record;
	struct act_draft *draft;
	u32 signal = context[0];
	u32 sent_by = 0, sent_to = 0;
	struct call call;
	int code = 0;

	if (context[4] != TRACE_SIGNAL_DELIVERED || !is_sent_by_a_process((void *)context[1], signal, &code))
		return 0;
	read_field(sent_by, sender->tgid);
	read_field(sent_to, target->tgid);
	if (sent_by == sent_to || !ends_or_stops(target, signal))
		return 0;
	current_call(&call);
	draft = begin_system(SYSTEM_KILL, &call, 0);
	if (!draft)
		return 0;
	record = (void *)draft->bytes;
	record->act.header.flags |= ACT_RESULT_KNOWN; /* Delivered: 0. */
	tell(draft, KILL_SIGNAL, signal);
	tell(draft, KILL_CODE, (s64)code);
	tell(draft, KILL_THREAD, !(u32)context[3]);
	tell_target(draft, target);
	send_act(draft);
	return 0;
}

SEC("fexit/ksys_setsid")
int system_setsid_returned(u64 *context)
{
	struct act_draft *draft;
	struct call call;

	current_call(&call);
	call.result = (int)context[0];
	draft = begin_system(SYSTEM_SETSID, &call, 1);
	if (draft)
		send_act(draft);
	return 0;
}

static __always_inline int ptrace_ended(const struct call *call)
{
	u64 request = (u32)call->arguments[0];
	struct task_struct *target = bpf_get_current_task();

	if (!begins_tracing(request) && !changes_the_traced(request))
		return 0;
	if (request == PTRACE_TRACEME)
		read_field(target, target->real_parent);
	else
		target = (void *)task_numbered(call->arguments[1]);
	return report_ptrace(call, target, 1);
}

SEC("tp_btf/sys_exit")
int system_processes_call(u64 *context)
{
	struct act_draft *draft;
	struct call call = {};

	if (!read_call(&call, context))
		return 0;
	if (call.kind == SYSTEM_PTRACE)
		return ptrace_ended(&call);
	if (call.kind == SYSTEM_PRCTL)
		return prctl_ended(&call);
	draft = begin_system(call.kind, &call, 1); /* setsid */
	if (draft)
		send_act(draft);
	return 0;
}
