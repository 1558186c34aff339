/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Lists the processes that run, for whoever reads the iterator: each as the exec record of the program that it runs now,
 * without its arguments and the name that was executed.
 */
#include "bpf.h"
#include "exec.h"
#include "output.h"
#include "path.h"
#include "task.h"

/* One: user space reads one list at a time. Not a CPU's of exec_drafts, for an exec may interrupt us. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct exec_draft);
} list_draft SEC(".maps");

static __always_inline struct exec_draft *this_list_draft(void)
{
	u32 only = 0;

	return bpf_map_lookup_elem(&list_draft, &only);
}

/* As stride_up_act_path. */
__noinline int stride_up_list_path(void)
{
	struct exec_draft *draft = this_list_draft();

	if (!draft)
		return WALK_TRUNCATED;
	return stride_up(draft->parts, &draft->used, PARTS_LIMIT, &draft->walk);
}

/* As append_act_path. */
__noinline int append_list_path(u64 mount, u64 dentry, u64 root_mount, u64 root_dentry)
{
	struct exec_draft *draft = this_list_draft();

	if (!draft)
		return WALK_TRUNCATED;
	begin_walk(&draft->walk, draft->used, mount, dentry, root_mount, root_dentry);
	for (int stride = 0; stride < WALK_STRIDES; stride++) {
		int end = stride_up_list_path();

		if (end != WALK_GOES_ON)
			return end;
	}
	return WALK_TRUNCATED;
}

/* How long its arguments are. They lie in memory of its own, which is not ours to read here. */
static __always_inline u32 arguments_size(struct mm_struct *memory)
{
	u64 start = memory->arg_start;
	u64 end = memory->arg_end;
	u64 size = end > start ? end - start : 0;

	return size < U32_MAX ? size : U32_MAX;
}

static __always_inline void describe(struct exec_draft *draft, struct task_struct *task, struct mm_struct *memory,
				     struct file *file)
{
	struct exec_record *record = &draft->record;

	draft->used = 0;
	fill_header(&record->header, RECORD_EXEC, 0);
	read_process_key(&record->process, task);
	read_process_key(&record->parent, task->real_parent);
	read_cgroup(&record->cgroup, task);
	read_file(record, file);
	read_credentials(record, task, task->real_cred);
	record->namespace_pid = read_namespace_pid(task);
	record->process_group = read_process_group(task);
	bpf_probe_read_kernel(record->name, sizeof(record->name), &task->comm);
	append_paths(draft, task, file, append_list_path);
	record->invoked_length = 0;
	record->terminal_length = append_terminal(draft, task);
	record->arguments_total = arguments_size(memory);
	record->arguments_length = 0;
	record->environment_length = 0;
}

/*
 * Threads that are not the first of their process tell nothing new, and the kernel's own run no program. A first
 * thread that has ended has no memory any more: user space looks at its process by other means.
 */
SEC("iter/task")
int list_process(u64 *context)
{
	struct bpf_iter_meta *meta = (void *)context[0];
	struct task_struct *task = (void *)context[1];
	struct exec_draft *draft = this_list_draft();
	struct mm_struct *memory;
	struct file *file;
	u64 size;

	if (!task || !draft)
		return 0;
	if (task->pid != task->tgid || task->flags & PF_KTHREAD)
		return 0;
	memory = task->mm;
	if (!memory)
		return 0;
	file = memory->exe_file;
	if (!file)
		return 0;
	describe(draft, task, memory, file);

	size = sizeof(draft->record) + draft->used;
	keep_bounds(size);
	if (size > sizeof(draft->record) + PARTS_LIMIT)
		return 0;
	draft->record.header.size = size;
	/* Where it does not fit, the kernel asks again for this process, with room. */
	bpf_seq_write(meta->seq, &draft->record, size);
	return 0;
}
