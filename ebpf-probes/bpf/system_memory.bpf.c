/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Memory that is made a file, written memory that becomes executable, faults that a program handles itself. */
#include "system.h"
#include "system_fold.h"

#define CALL_MEMFD_CREATE 319, 279, 356
#define CALL_MMAP 9, 222, 192
#define MEMFD_PREFIX 6 /* memfd: */
#define PROT_WRITE 2
#define PROT_EXEC 4
#define VM_WRITE 0x2
#define VM_EXEC 0x4
#define VM_SHARED 0x8
#define VM_MAYWRITE 0x20
#define VM_ACCESS 0x7

/* Values of SYSTEM_MEMFD_CREATE. */
enum memfd_values {
	MEMFD_FLAGS,
};

/* Values of SYSTEM_MPROTECT and SYSTEM_MMAP. */
enum memory_values {
	MEMORY_PROTECTION,
	MEMORY_ADDRESS,
	MEMORY_LENGTH,
	MEMORY_FLAGS, /* Of mmap; of mprotect, the protection before. */
	MEMORY_COUNT, /* Acts that the record stands for. */
};

/* Values of SYSTEM_USERFAULTFD. */
enum fault_values {
	FAULT_FLAGS,
};

/* A file in memory is made, with the kernel's copy of its name. (name...) */
static __always_inline int memfd_made(u64 *context)
{
	struct act_draft *draft;
	struct call call;

	current_call(&call);
	if (!is_call(&call, CALL_MEMFD_CREATE))
		return 0;
	draft = begin_system(SYSTEM_MEMFD_CREATE, &call, 0);
	if (!draft)
		return 0;
	tell(draft, MEMFD_FLAGS, (u32)call.arguments[1]);
	tell_text(draft, (void *)context[0] + MEMFD_PREFIX);
	send_act(draft);
	return 0;
}

SEC("fentry/shmem_file_setup")
int system_memfd_function(u64 *context)
{
	return memfd_made(context);
}

/* With MFD_HUGETLB. */
SEC("fentry/hugetlb_file_setup")
int system_memfd_huge_function(u64 *context)
{
	return memfd_made(context);
}

static __always_inline int memfd_ended(const struct call *call)
{
	struct act_draft *draft = begin_system(SYSTEM_MEMFD_CREATE, call, 1);
	const unsigned char *name = NULL;
	struct dentry *dentry = NULL;
	struct file *file = NULL;

	if (!draft)
		return 0;
	tell(draft, MEMFD_FLAGS, (u32)call->arguments[1]);
	if (call->result >= 0)
		file = open_file(call->result);
	if (file) {
		read_field(dentry, file->f_path.dentry);
		read_field(name, dentry->d_name.name);
		tell_text(draft, name + MEMFD_PREFIX);
		tell_descriptor_is_shared(draft);
	} else {
		tell_callers_text(draft, (void *)call->arguments[0]);
	}
	send_act(draft);
	return 0;
}

/* Whether anything but the bytes of a file that was only read can lie there. */
static __always_inline int may_be_written(u64 flags, void *own_pages, struct file *file)
{
	return !file || own_pages || flags & VM_WRITE || (flags & (VM_SHARED | VM_MAYWRITE)) == (VM_SHARED | VM_MAYWRITE);
}

/* (area, protection that was asked for, protection) */
static __always_inline int system_mprotect(u64 *context)
{
	struct vm_area_struct *area = (void *)context[0];
	struct act_draft *draft;
	struct file *file = NULL;
	unsigned long flags = 0;
	void *own_pages = NULL;
	struct call call;
	u64 count;

	if (!(context[2] & PROT_EXEC))
		return 0;
	read_field(flags, area->vm_flags);
	read_field(own_pages, area->anon_vma);
	read_field(file, area->vm_file);
	if (!(context[2] & PROT_WRITE) && (flags & VM_EXEC || !may_be_written(flags, own_pages, file)))
		return 0;
	count = acts_to_tell(SYSTEM_MPROTECT, 0);
	if (!count)
		return 0;
	current_call(&call);
	draft = begin_system(SYSTEM_MPROTECT, &call, 0);
	if (!draft)
		return 0;
	tell(draft, MEMORY_COUNT, count);
	tell(draft, MEMORY_PROTECTION, context[2]);
	tell(draft, MEMORY_ADDRESS, call.arguments[0]);
	tell(draft, MEMORY_LENGTH, call.arguments[1]);
	tell(draft, MEMORY_FLAGS, flags & VM_ACCESS);
	tell_file(draft, file);
	send_act(draft);
	return 0;
}
SECURITY_HOOK(system_mprotect, file_mprotect)

/* A file that has no name any more, or never had one: a library from memory. */
static __always_inline int is_nameless(struct file *file)
{
	struct inode *inode = NULL;
	u32 links = 1;

	if (!file)
		return 0;
	read_field(inode, file->f_inode);
	read_field(links, inode->i_nlink);
	return links == 0;
}

static __always_inline int report_mmap(const struct call *call, struct file *file, int ended)
{
	u64 count = acts_to_tell(SYSTEM_MMAP, 0);
	struct act_draft *draft;

	if (!count)
		return 0;
	draft = begin_system(SYSTEM_MMAP, call, ended);
	if (!draft)
		return 0;
	tell(draft, MEMORY_COUNT, count);
	tell(draft, MEMORY_PROTECTION, call->arguments[2]);
	tell(draft, MEMORY_ADDRESS, ended ? (u64)call->result : call->arguments[0]);
	tell(draft, MEMORY_LENGTH, call->arguments[1]);
	tell(draft, MEMORY_FLAGS, (u32)call->arguments[3]);
	tell_file(draft, file);
	if (ended && file)
		tell_descriptor_is_shared(draft);
	send_act(draft);
	return 0;
}

static __always_inline int mmap_asked(struct file *file, u64 protection)
{
	struct call call;

	if (!(protection & PROT_EXEC) || !(protection & PROT_WRITE || is_nameless(file)))
		return 0;
	current_call(&call);
	/* Not the program that an exec maps: its own record tells of that. */
	return is_call(&call, CALL_MMAP) ? report_mmap(&call, file, 0) : 0;
}

/* (file, protection that was asked for, protection, flags) */
SEC("lsm/mmap_file")
int system_mmap_lsm(u64 *context)
{
	return mmap_asked((void *)context[0], context[1]);
}

/* (file, protection, flags) */
SEC("fentry/security_mmap_file")
int system_mmap_function(u64 *context)
{
	return mmap_asked((void *)context[0], context[1]);
}

#define MAP_ANONYMOUS 0x20

static __always_inline int mmap_ended(const struct call *call)
{
	u64 protection = call->arguments[2];
	struct file *file = NULL;

	if (!(protection & PROT_EXEC))
		return 0;
	if (!(call->arguments[3] & MAP_ANONYMOUS))
		file = open_file(call->arguments[4]);
	return protection & PROT_WRITE || is_nameless(file) ? report_mmap(call, file, 1) : 0;
}

/* Areas of memory can't be looked up on all kernels: whatever is made executable is told. */
static __always_inline int mprotect_ended(const struct call *call)
{
	struct act_draft *draft;
	u64 count;

	if (!(call->arguments[2] & PROT_EXEC))
		return 0;
	count = acts_to_tell(SYSTEM_MPROTECT, 0);
	if (!count)
		return 0;
	draft = begin_system(SYSTEM_MPROTECT, call, 1);
	if (!draft)
		return 0;
	tell(draft, MEMORY_COUNT, count);
	tell(draft, MEMORY_PROTECTION, call->arguments[2]);
	tell(draft, MEMORY_ADDRESS, call->arguments[0]);
	tell(draft, MEMORY_LENGTH, call->arguments[1]);
	send_act(draft);
	return 0;
}

static __always_inline int report_fault_handler(const struct call *call, int ended)
{
	struct act_draft *draft = begin_system(SYSTEM_USERFAULTFD, call, ended);

	if (!draft)
		return 0;
	tell(draft, FAULT_FLAGS, (u32)call->arguments[0]);
	send_act(draft);
	return 0;
}

static __always_inline int userfaultfd_returned(s64 result)
{
	struct call call;

	current_call(&call);
	call.result = result;
	return report_fault_handler(&call, 1);
}

SEC("fexit/__x64_sys_userfaultfd")
int system_userfaultfd_returned(u64 *context)
{
	return userfaultfd_returned(context[1]);
}

SEC("fexit/__ia32_sys_userfaultfd")
int system_userfaultfd_compat_returned(u64 *context)
{
	return userfaultfd_returned(context[1]);
}

SEC("tp_btf/sys_exit")
int system_memory_call(u64 *context)
{
	struct call call = {};

	if (!read_call(&call, context))
		return 0;
	if (call.kind == SYSTEM_MMAP)
		return mmap_ended(&call);
	if (call.kind == SYSTEM_MPROTECT)
		return mprotect_ended(&call);
	if (call.kind == SYSTEM_MEMFD_CREATE)
		return memfd_ended(&call);
	return report_fault_handler(&call, 1);
}
