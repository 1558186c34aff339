/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What became of an act. Security hooks and the beginnings of functions speak before the act happens. Where the system call that
 * does it has a program at its return (call_returns.bpf.c), the act's record is sent at once all the same, and marked: a second, small record
 * brings the outcome when the call returns, and user space puts the two together. So nothing waits in the kernel, where it could be
 * lost; every act of one call gets the call's outcome; and a call that never returns delays its acts only as long as user space waits.
 */
#ifndef DEFENDER_OUTCOME_H
#define DEFENDER_OUTCOME_H

#include "bpf.h"
#include "output.h"

#define WAITING_CALLS 8192
#define WAITING_LIMIT 1000000000ULL /* Nanoseconds: so long user space waits (collector-ds/src/kernel/outcomes.rs). */
#define CALL_NUMBERS 1024	    /* As call_routes. */
#define PF_IO_WORKER 0x00000010

/* Set by user space for each call that has a program at its return. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CALL_NUMBERS);
	__type(key, u32);
	__type(value, u32);
} returning_calls SEC(".maps");

/* A thread inside of a call that did an act. Thread 0: none. */
struct waiting_call {
	u32 thread;
	u32 call;
	u64 since;
};

/*
 * By the thread's number, without its upper bits: looked at when a call returns, this costs far less than a hash table would. Of two
 * threads that meet here the later one's act is told without its outcome.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WAITING_CALLS);
	__type(key, u32);
	__type(value, struct waiting_call);
} waiting_calls SEC(".maps");

static __always_inline struct waiting_call *waiting_call(u32 thread)
{
	u32 place = thread % WAITING_CALLS;

	return bpf_map_lookup_elem(&waiting_calls, &place);
}

/* The call that the current task is in, as an index of call_routes; NO_CALL outside of one. See system.h. */
static __always_inline u32 current_call_number(void);

/* A thread of the kernel's, such as those that work for an io_uring: its registers tell of a call that it is not in. */
static __always_inline int is_kernel_worker(void)
{
	struct task_struct *task = bpf_get_current_task();
	u32 flags = 0;

	read_field(flags, task->flags);
	return flags & (PF_KTHREAD | PF_IO_WORKER);
}

/* Whether the kind is an act that is always seen in the context of who does it. Sockets change in interrupts too, in the midst of anybody's call. */
static __always_inline int is_act_of_current(u32 kind)
{
	return (kind >= RECORD_FILE && kind < RECORD_NETWORK) || (kind >= RECORD_SYSTEM && kind < RECORD_KINDS);
}

/* Marks the record where the return of the current call will tell its outcome. */
static __always_inline void await_outcome(struct act_head *head)
{
	struct waiting_call *waiting;
	u32 *returns;
	u32 number;

	if (head->header.flags & ACT_RESULT_KNOWN || !is_act_of_current(head->header.kind))
		return;
	number = current_call_number();
	returns = bpf_map_lookup_elem(&returning_calls, &number);
	if (!returns || !*returns || is_kernel_worker())
		return;
	waiting = waiting_call(head->thread);
	if (!waiting)
		return;
	if (waiting->thread && waiting->thread != head->thread && head->header.time - waiting->since < WAITING_LIMIT)
		return;
	waiting->since = head->header.time;
	waiting->call = number;
	waiting->thread = head->thread;
	head->call = number;
	head->header.flags |= ACT_RESULT_FOLLOWS;
}

/* A call has returned. True where acts of it were waiting, whose outcome is told with this. */
static __always_inline int tell_outcome(s64 result)
{
	struct outcome_record record = {};
	struct waiting_call *waiting;
	u32 thread = bpf_get_current_pid_tgid();

	waiting = waiting_call(thread);
	if (!waiting || waiting->thread != thread)
		return 0;
	waiting->thread = 0;
	fill_header(&record.header, RECORD_OUTCOME, sizeof(record));
	record.result = result;
	record.thread = thread;
	record.call = waiting->call;
	send_to(&act_ring, RECORD_OUTCOME, &record, sizeof(record));
	return 1;
}

#endif
