/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Namespaces and root directories that a process takes. */
#include "system.h"

#define CALL_SETNS 308, 268, 346

/* include/uapi/linux/sched.h */
#define CLONE_NEWTIME 0x00000080
#define CLONE_NEWNS 0x00020000
#define CLONE_NEWCGROUP 0x02000000
#define CLONE_NEWUTS 0x04000000
#define CLONE_NEWIPC 0x08000000
#define CLONE_NEWUSER 0x10000000
#define CLONE_NEWPID 0x20000000
#define CLONE_NEWNET 0x40000000

/* Values of SYSTEM_SETNS and SYSTEM_UNSHARE. */
enum namespace_values {
	NAMESPACE_ASKED,
	NAMESPACE_TYPES,   /* Those that the process is in now, by the act. */
	NAMESPACE_INODES,  /* Two 32-bit numbers each, the lower first: user, mnt. */
	NAMESPACE_UTS_IPC,
	NAMESPACE_NET_PID,
	NAMESPACE_CGROUP_TIME,
	NAMESPACE_DESCRIPTOR,
};

struct namespaces {
	u32 types;
	u32 inodes[8]; /* user, mnt, uts, ipc, net, pid, cgroup, time */
};

/* Takes over a namespace of `after` where it is asked for by its type, or another one than `before`'s. */
#define TAKE(place, type, member)                                                                                      \
	do {                                                                                                           \
		void *left = NULL;                                                                                     \
		typeof(after->member) entered = NULL;                                                                  \
                                                                                                                       \
		read_field(entered, after->member);                                                                    \
		if (before)                                                                                            \
			read_field(left, before->member);                                                              \
		if (entered && (before ? (void *)entered != left : (asked & (type)) != 0)) {                           \
			read_field(told->inodes[place], entered->ns.inum);                                             \
			told->types |= (type);                                                                         \
		}                                                                                                      \
	} while (0)

static __always_inline void take_namespaces(struct namespaces *told, struct nsproxy *after, struct nsproxy *before,
					    u64 asked)
{
	TAKE(1, CLONE_NEWNS, mnt_ns);
	TAKE(2, CLONE_NEWUTS, uts_ns);
	TAKE(3, CLONE_NEWIPC, ipc_ns);
	TAKE(4, CLONE_NEWNET, net_ns);
	TAKE(5, CLONE_NEWPID, pid_ns_for_children);
	TAKE(6, CLONE_NEWCGROUP, cgroup_ns);
	if (field_exists(after->time_ns_for_children))
		TAKE(7, CLONE_NEWTIME, time_ns_for_children);
}

static __always_inline void take_user_namespace(struct namespaces *told)
{
	struct task_struct___system *task = (void *)bpf_get_current_task();
	struct user_namespace *namespace = NULL;
	struct cred___system *credentials = NULL;

	bpf_probe_read_kernel(&credentials, sizeof(credentials), &task->cred);
	read_field(namespace, credentials->user_ns);
	read_field(told->inodes[0], namespace->ns.inum);
	told->types |= CLONE_NEWUSER;
}

static __always_inline void tell_namespaces(struct act_draft *draft, const struct namespaces *told)
{
	tell(draft, NAMESPACE_TYPES, told->types);
	for (int pair = 0; pair < 4; pair++)
		tell(draft, NAMESPACE_INODES + pair, (u64)told->inodes[2 * pair + 1] << 32 | told->inodes[2 * pair]);
}

/* The process takes other namespaces than a user namespace; setns has checked everything by then. (task, new) */
SEC("fentry/switch_task_namespaces")
int system_setns_function(u64 *context)
{
	struct task_struct___system *task = (void *)context[0];
	struct nsproxy *after = (void *)context[1];
	struct nsproxy *before = NULL;
	struct namespaces told = {};
	struct act_draft *draft;
	struct call call;

	if (!after) /* The process ends. */
		return 0;
	current_call(&call);
	if (!is_call(&call, CALL_SETNS))
		return 0;
	read_field(before, task->nsproxy);
	take_namespaces(&told, after, before, 0);
	/* The user namespace was taken before; where nothing else changes, it is what the descriptor stood for. */
	if (call.arguments[1] & CLONE_NEWUSER || !told.types)
		take_user_namespace(&told);
	/* Nothing can go wrong from here on: the call returns 0. */
	draft = begin_system(SYSTEM_SETNS, &call, 1);
	if (!draft)
		return 0;
	tell(draft, NAMESPACE_ASKED, (u32)call.arguments[1]);
	tell(draft, NAMESPACE_DESCRIPTOR, (u32)call.arguments[0]);
	tell_namespaces(draft, &told);
	send_act(draft);
	return 0;
}

/* (flags) */
SEC("fexit/ksys_unshare")
int system_unshare_returned(u64 *context)
{
	struct act_draft *draft;
	struct call call;

	current_call(&call);
	call.result = (int)context[1];
	draft = begin_system(SYSTEM_UNSHARE, &call, 1);
	if (!draft)
		return 0;
	tell(draft, NAMESPACE_ASKED, context[0]);
	send_act(draft);
	return 0;
}

/* (path) */
static __always_inline int system_chroot(u64 *context)
{
	struct act_draft *draft;
	struct path path = {};
	struct call call;

	current_call(&call);
	draft = begin_system(SYSTEM_CHROOT, &call, 0);
	if (!draft)
		return 0;
	bpf_probe_read_kernel(&path, sizeof(path), (void *)context[0]);
	tell_path(draft, &path);
	send_act(draft);
	return 0;
}
SECURITY_HOOK(system_chroot, path_chroot)

/* (where the old root goes, the new root) */
static __always_inline int system_pivot_root(u64 *context)
{
	struct system_record *record;
	struct act_draft *draft;
	struct path path = {};
	struct call call;

	current_call(&call);
	draft = begin_system(SYSTEM_PIVOT_ROOT, &call, 0);
	if (!draft)
		return 0;
	record = (void *)draft->bytes;
	bpf_probe_read_kernel(&path, sizeof(path), (void *)context[1]);
	tell_path(draft, &path);
	bpf_probe_read_kernel(&path, sizeof(path), (void *)context[0]);
	record->other_length = append_system_path(draft, &path, 0, SYSTEM_OTHER_TRUNCATED);
	send_act(draft);
	return 0;
}
SECURITY_HOOK(system_pivot_root, sb_pivotroot)

/* The type of the namespace that a descriptor of setns stands for. */
static __always_inline u64 descriptor_type(u32 descriptor)
{
	struct file *file = open_file(descriptor);
	struct inode___private *inode = NULL;
	struct proc_ns_operations *operations = NULL;
	struct ns_common *namespace = NULL;
	u32 type = 0;

	if (!file)
		return 0;
	bpf_probe_read_kernel(&inode, sizeof(inode), &file->f_inode);
	read_field(namespace, inode->i_private);
	if (field_exists(((struct ns_common___typed *)0)->ns_type)) {
		struct ns_common___typed *typed = (void *)namespace;

		read_field(type, typed->ns_type);
	} else {
		read_field(operations, namespace->ops);
		read_field(type, operations->type);
	}
	return type;
}

static __always_inline void tell_setns(struct act_draft *draft, const struct call *call)
{
	struct task_struct___system *task = (void *)bpf_get_current_task();
	u64 asked = (u32)call->arguments[1];
	struct namespaces told = {};
	struct nsproxy *now = NULL;

	tell(draft, NAMESPACE_ASKED, asked);
	tell(draft, NAMESPACE_DESCRIPTOR, (u32)call->arguments[0]);
	if (call->result)
		return;
	if (!asked) {
		asked = descriptor_type(call->arguments[0]);
		tell_descriptor_is_shared(draft);
	}
	read_field(now, task->nsproxy);
	take_namespaces(&told, now, NULL, asked);
	if (asked & CLONE_NEWUSER)
		take_user_namespace(&told);
	tell_namespaces(draft, &told);
}

/* The root directory that the process has now, from the root of its mount namespace. */
static __always_inline void tell_new_root(struct act_draft *draft)
{
	struct system_record *record = (void *)draft->bytes;
	struct task_struct *task = bpf_get_current_task();
	struct fs_struct *fs = NULL;
	struct path root = {};

	read_field(fs, task->fs);
	read_field(root, fs->root);
	record->path_length = append_system_path(draft, &root, 1, SYSTEM_TRUNCATED);
}

/* The new root and the old one's place exist for the kernel as its root alone once the call has ended. */
static __always_inline void tell_callers_roots(struct act_draft *draft, const struct call *call)
{
	struct system_record *record = (void *)draft->bytes;

	tell_callers_text(draft, (void *)call->arguments[0]);
	record->other_text_length = append_user_text(draft, (void *)call->arguments[1], PATH_LIMIT);
}

static __always_inline int namespaces_ended(const struct call *call)
{
	struct act_draft *draft = begin_system(call->kind, call, 1);

	if (!draft)
		return 0;
	if (call->kind == SYSTEM_SETNS)
		tell_setns(draft, call);
	else if (call->kind == SYSTEM_UNSHARE)
		tell(draft, NAMESPACE_ASKED, call->arguments[0]);
	else if (call->kind == SYSTEM_CHROOT && !call->result)
		tell_new_root(draft);
	else if (call->kind == SYSTEM_CHROOT)
		tell_callers_text(draft, (void *)call->arguments[0]);
	else
		tell_callers_roots(draft, call);
	send_act(draft);
	return 0;
}

SEC("tp_btf/sys_exit")
int system_namespaces_call(u64 *context)
{
	struct call call = {};

	return read_call(&call, context) ? namespaces_ended(&call) : 0;
}
