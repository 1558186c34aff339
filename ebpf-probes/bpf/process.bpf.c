/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Processes begin by fork and end. Threads within a process are no concern of ours. */
#include "bpf.h"
#include "output.h"
#include "task.h"

SEC("tp_btf/sched_process_fork")
int process_fork(u64 *context)
{
	struct task_struct *creator = (void *)context[0];
	struct task_struct *child = (void *)context[1];
	struct fork_record record = {};

	if (child->pid != child->tgid || child->flags & PF_KTHREAD)
		return 0;
	fill_header(&record.header, RECORD_FORK, sizeof(record));
	read_process_key(&record.creator, creator);
	read_process_key(&record.parent, child->real_parent);
	read_process_key(&record.child, child);
	read_cgroup(&record.creator_cgroup, creator);
	read_cgroup(&record.cgroup, child);
	record.namespace_pid = read_namespace_pid(child);
	send(RECORD_FORK, &record, sizeof(record));
	return 0;
}

/*
 * Processes with several threads that have ended lately. When the last threads end at the same
 * moment on several CPUs, each of them finds that none is alive; the first one to write its key here
 * speaks for the process.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct process_key);
	__type(value, u8);
} ended_processes SEC(".maps");

/*
 * Threads that have passed this point are counted in nr_threads until the kernel releases them, after it. A map that
 * has no room for the mark, for whatever reason, must not cost an end: twice is better than never.
 */
static __always_inline int has_ended_before(struct process_key *key, struct signal_struct *signal)
{
	u8 mark = 1;

	/* As an int: kernels before 6.4 leave the upper half of the result empty. */
	if (signal->nr_threads > 1)
		return (int)bpf_map_update_elem(&ended_processes, key, &mark, BPF_NOEXIST) == -EEXIST;
	return bpf_map_lookup_elem(&ended_processes, key) != NULL;
}

/* What wait(2) will tell the parent: wait_task_zombie reads the same fields. */
static __always_inline u32 whole_exit_code(struct task_struct *task, struct signal_struct *signal)
{
	if (signal->flags & SIGNAL_GROUP_EXIT)
		return signal->group_exit_code;
	return task->group_leader->exit_code;
}

SEC("tp_btf/sched_process_exit")
int process_exit(u64 *context)
{
	struct task_struct *task = (void *)context[0];
	struct signal_struct *signal = task->signal;
	struct exit_record record = {};

	if (signal->live.counter != 0 || task->flags & PF_KTHREAD)
		return 0;
	read_process_key(&record.process, task);
	if (has_ended_before(&record.process, signal))
		return 0;
	fill_header(&record.header, RECORD_EXIT, sizeof(record));
	read_cgroup(&record.cgroup, task);
	record.exit_code = whole_exit_code(task, signal);
	send(RECORD_EXIT, &record, sizeof(record));
	return 0;
}
