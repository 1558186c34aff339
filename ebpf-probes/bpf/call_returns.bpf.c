/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * System calls that return, each at its own function, so that others cost nothing: they tell the outcome of acts that were seen inside
 * of them (outcome.h). ebpf-probes/src/hooks/returns.rs lists the same calls. The functions' names in the sections are those
 * of x86_64; the loader knows those of the machine.
 */
#include "outcome.h"
#include "system.h"

#define RETURN(name)                                                                                                   \
	SEC("fexit/__x64_sys_" #name) int name##_returned(u64 *context)                                                \
	{                                                                                                              \
		tell_outcome(context[1]);                                                                              \
		return 0;                                                                                              \
	}

static __always_inline int is_not_permitted(s64 result)
{
	return result == -EPERM || result == -EACCES;
}

/* From the task's registers: of calls that a kernel may be built without, the types of older ones don't know what the function is handed. */
static __always_inline void read_returned_call(struct call *call, s64 result, u16 kind)
{
	current_call(call);
	call->kind = kind;
	call->result = result;
}

/* The same where the kernel refuses some before it asks its security modules: those are told as the end of system calls would. */
#define RETURN_OR_REFUSAL(name, kind, ended)                                                                           \
	SEC("fexit/__x64_sys_" #name) int name##_returned(u64 *context)                                                \
	{                                                                                                              \
		struct call call;                                                                                      \
                                                                                                                       \
		if (tell_outcome(context[1]) || !is_not_permitted(context[1]))                                         \
			return 0;                                                                                      \
		read_returned_call(&call, context[1], kind);                                                            \
		return ended(&call);                                                                                   \
	}

RETURN(rename)
RETURN(renameat)
RETURN(renameat2)
RETURN(link)
RETURN(linkat)
RETURN(symlink)
RETURN(symlinkat)
RETURN(unlink)
RETURN(unlinkat)
RETURN(rmdir)
RETURN(mkdir)
RETURN(mkdirat)
RETURN(mknod)
RETURN(mknodat)
RETURN(truncate)
RETURN(ftruncate)
RETURN(chmod)
RETURN(fchmod)
RETURN(fchmodat)
RETURN(fchmodat2)
RETURN(chown)
RETURN(lchown)
RETURN(fchown)
RETURN(fchownat)
RETURN(mount)
RETURN(umount)
RETURN(move_mount)
RETURN(prctl)
RETURN(memfd_create)
RETURN(mprotect)
RETURN(pkey_mprotect)
RETURN(mmap)
RETURN_OR_REFUSAL(setuid, SYSTEM_SETUID, credentials_ended)
RETURN_OR_REFUSAL(setreuid, SYSTEM_SETUID, credentials_ended)
RETURN_OR_REFUSAL(setresuid, SYSTEM_SETUID, credentials_ended)
RETURN(setfsuid)
RETURN_OR_REFUSAL(setgid, SYSTEM_SETGID, credentials_ended)
RETURN_OR_REFUSAL(setregid, SYSTEM_SETGID, credentials_ended)
RETURN_OR_REFUSAL(setresgid, SYSTEM_SETGID, credentials_ended)
RETURN(setfsgid)
RETURN_OR_REFUSAL(capset, SYSTEM_CAPSET, credentials_ended)
RETURN_OR_REFUSAL(setns, SYSTEM_SETNS, namespaces_ended)
RETURN_OR_REFUSAL(chroot, SYSTEM_CHROOT, namespaces_ended)
RETURN_OR_REFUSAL(pivot_root, SYSTEM_PIVOT_ROOT, namespaces_ended)
RETURN_OR_REFUSAL(ptrace, SYSTEM_PTRACE, ptrace_ended)
RETURN_OR_REFUSAL(process_vm_readv, SYSTEM_PROCESS_VM_READV, memory_access_ended)
RETURN_OR_REFUSAL(process_vm_writev, SYSTEM_PROCESS_VM_WRITEV, memory_access_ended)
RETURN_OR_REFUSAL(pidfd_getfd, SYSTEM_PIDFD_GETFD, getfd_ended)
RETURN_OR_REFUSAL(init_module, SYSTEM_MODULE_LOAD, module_ended)
RETURN_OR_REFUSAL(finit_module, SYSTEM_MODULE_LOAD, module_ended)
RETURN_OR_REFUSAL(delete_module, SYSTEM_MODULE_UNLOAD, module_ended)
RETURN_OR_REFUSAL(bpf, SYSTEM_BPF, bpf_ended)
RETURN_OR_REFUSAL(kexec_load, SYSTEM_KEXEC_LOAD, kexec_ended)
RETURN_OR_REFUSAL(kexec_file_load, SYSTEM_KEXEC_LOAD, kexec_ended)
RETURN_OR_REFUSAL(perf_event_open, SYSTEM_PERF_EVENT_OPEN, perf_ended)

/* Who may not have such a socket is refused before one is made. */
SEC("fexit/__x64_sys_socket")
int network_socket_refused(u64 *context)
{
	struct call call;

	if (!is_not_permitted(context[1]))
		return 0;
	read_returned_call(&call, context[1], NETWORK_SOCKET);
	return report_socket(call.arguments[0], call.arguments[1], call.arguments[2], &call);
}
