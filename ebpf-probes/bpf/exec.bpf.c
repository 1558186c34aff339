/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A process begins another program. */
#include "bpf.h"
#include "exec.h"
#include "output.h"
#include "path.h"
#include "task.h"

/*
 * One draft for each CPU: the program runs with preemption off, and the kernel lets no program interrupt
 * itself on one CPU. An array indexed by CPU, for a per-CPU map holds at most 32 KiB an entry. User space
 * sets the number of entries.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct exec_draft);
} exec_drafts SEC(".maps");

static __always_inline struct exec_draft *this_cpu_draft(void)
{
	u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&exec_drafts, &cpu);
}

/* As stride_up_act_path. */
__noinline int stride_up_exec_path(void)
{
	struct exec_draft *draft = this_cpu_draft();

	if (!draft)
		return WALK_TRUNCATED;
	return stride_up(draft->parts, &draft->used, PARTS_LIMIT, &draft->walk);
}

/* As append_act_path. */
__noinline int append_exec_path(u64 mount, u64 dentry, u64 root_mount, u64 root_dentry)
{
	struct exec_draft *draft = this_cpu_draft();

	if (!draft)
		return WALK_TRUNCATED;
	begin_walk(&draft->walk, draft->used, mount, dentry, root_mount, root_dentry);
	for (int stride = 0; stride < WALK_STRIDES; stride++) {
		int end = stride_up_exec_path();

		if (end != WALK_GOES_ON)
			return end;
	}
	return WALK_TRUNCATED;
}

/* From the new program's own memory: what it will see, whatever the caller does to its buffers. */
static __always_inline void append_arguments(struct exec_draft *draft, struct task_struct *task)
{
	struct exec_record *record = &draft->record;
	u64 start = task->mm->arg_start;
	u64 end = task->mm->arg_end;
	u64 length = end > start ? end - start : 0;
	u64 used = draft->used;

	record->arguments_total = length < U32_MAX ? length : U32_MAX;
	record->arguments_length = 0;
	if (length > ARGUMENTS_LIMIT)
		length = ARGUMENTS_LIMIT;
	keep_bounds(used);
	keep_bounds(length);
	if (used > PARTS_LIMIT - ARGUMENTS_LIMIT || length > ARGUMENTS_LIMIT)
		return;
	if (bpf_probe_read_user(draft->parts + used, length, (void *)start))
		return;
	record->arguments_length = length;
	draft->used = used + length;
}

/* 1 while a rule compares the environment. Set by user space, also while the programs run. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} environment_wanted SEC(".maps");

static __always_inline int environment_is_wanted(void)
{
	u32 only = 0;
	u32 *wanted = bpf_map_lookup_elem(&environment_wanted, &only);

	return wanted && *wanted;
}

/* As the arguments, which it follows in the program's memory. */
static __always_inline void append_environment(struct exec_draft *draft, struct task_struct *task)
{
	u64 start = task->mm->env_start;
	u64 end = task->mm->env_end;
	u64 length = end > start ? end - start : 0;
	u64 used = draft->used;

	if (length > ENVIRONMENT_LIMIT)
		length = ENVIRONMENT_LIMIT;
	keep_bounds(used);
	keep_bounds(length);
	if (used > PARTS_LIMIT - ENVIRONMENT_LIMIT || length > ENVIRONMENT_LIMIT)
		return;
	if (bpf_probe_read_user(draft->parts + used, length, (void *)start))
		return;
	draft->record.environment_length = length;
	draft->used = used + length;
}

/* At this point the new program is in place: memory, credentials, name and thread group are its own. */
SEC("tp_btf/sched_process_exec")
int process_exec(u64 *context)
{
	struct task_struct *task = (void *)context[0];
	struct linux_binprm *program = (void *)context[2];
	struct exec_draft *draft = this_cpu_draft();
	struct exec_record *record;
	u64 size;

	if (!draft) {
		count_drop(RECORD_EXEC);
		return 0;
	}
	draft->used = 0;
	record = &draft->record;
	fill_header(&record->header, RECORD_EXEC, 0);
	read_process_key(&record->process, task);
	read_process_key(&record->parent, task->real_parent);
	read_cgroup(&record->cgroup, task);
	read_file(record, program->file);
	read_credentials(record, task, task->cred);
	record->namespace_pid = read_namespace_pid(task);
	record->process_group = read_process_group(task);
	bpf_probe_read_kernel(record->name, sizeof(record->name), &task->comm);
	append_paths(draft, task, program->file, append_exec_path);
	record->invoked_length = append_string(draft, program->filename, PATH_LIMIT);
	record->terminal_length = append_terminal(draft, task);
	append_arguments(draft, task);
	record->environment_length = 0;
	if (environment_is_wanted())
		append_environment(draft, task);

	size = sizeof(*record) + draft->used;
	keep_bounds(size);
	if (size > sizeof(*record) + PARTS_LIMIT) {
		count_drop(RECORD_EXEC);
		return 0;
	}
	record->header.size = size;
	send(RECORD_EXEC, record, size);
	return 0;
}
