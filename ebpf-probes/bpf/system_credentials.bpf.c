/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Users, groups and capabilities that a process takes. */
#include "system.h"

/* Values of SYSTEM_SETUID and SYSTEM_SETGID: two 32-bit ids each, the lower first. */
enum ids_values {
	IDS_NEW_REAL_EFFECTIVE,
	IDS_NEW_SAVED_FILES,
	IDS_OLD_REAL_EFFECTIVE,
	IDS_OLD_SAVED_FILES,
	IDS_FIRST, /* As the caller asked. */
	IDS_SECOND,
	IDS_THIRD,
};

/* Values of SYSTEM_CAPSET. */
enum capset_values {
	CAPSET_EFFECTIVE,
	CAPSET_PERMITTED,
	CAPSET_INHERITABLE,
	CAPSET_OLD_EFFECTIVE,
	CAPSET_OLD_PERMITTED,
	CAPSET_OLD_INHERITABLE,
};

#define PAIR(first, second) ((u64)(second) << 32 | (first))

static __always_inline void tell_uids(struct act_draft *draft, struct cred___system *ids, u32 place)
{
	u32 real = 0, effective = 0, saved = 0, files = 0;

	read_field(real, ids->uid);
	read_field(effective, ids->euid);
	read_field(saved, ids->suid);
	read_field(files, ids->fsuid);
	tell(draft, place, PAIR(real, effective));
	tell(draft, place + 1, PAIR(saved, files));
}

static __always_inline void tell_gids(struct act_draft *draft, struct cred___system *ids, u32 place)
{
	u32 real = 0, effective = 0, saved = 0, files = 0;

	read_field(real, ids->gid);
	read_field(effective, ids->egid);
	read_field(saved, ids->sgid);
	read_field(files, ids->fsgid);
	tell(draft, place, PAIR(real, effective));
	tell(draft, place + 1, PAIR(saved, files));
}

static __always_inline void tell_asked_ids(struct act_draft *draft, const struct call *call)
{
	tell(draft, IDS_FIRST, call->arguments[0]);
	tell(draft, IDS_SECOND, call->arguments[1]);
	tell(draft, IDS_THIRD, call->arguments[2]);
}

static __always_inline struct cred___system *current_credentials(void)
{
	struct task_struct___system *task = (void *)bpf_get_current_task();
	struct cred___system *credentials = NULL;

	bpf_probe_read_kernel(&credentials, sizeof(credentials), &task->cred);
	return credentials;
}

/* (new, old, flags) */
static __always_inline int system_setuid(u64 *context)
{
	struct act_draft *draft;
	struct call call;

	current_call(&call);
	draft = begin_system(SYSTEM_SETUID, &call, 0);
	if (!draft)
		return 0;
	tell_asked_ids(draft, &call);
	tell_uids(draft, (void *)context[0], IDS_NEW_REAL_EFFECTIVE);
	tell_uids(draft, (void *)context[1], IDS_OLD_REAL_EFFECTIVE);
	send_act(draft);
	return 0;
}
SECURITY_HOOK(system_setuid, task_fix_setuid)

/* (new, old, flags) */
static __always_inline int system_setgid(u64 *context)
{
	struct act_draft *draft;
	struct call call;

	current_call(&call);
	draft = begin_system(SYSTEM_SETGID, &call, 0);
	if (!draft)
		return 0;
	tell_asked_ids(draft, &call);
	tell_gids(draft, (void *)context[0], IDS_NEW_REAL_EFFECTIVE);
	tell_gids(draft, (void *)context[1], IDS_OLD_REAL_EFFECTIVE);
	send_act(draft);
	return 0;
}
SECURITY_HOOK(system_setgid, task_fix_setgid)

static __always_inline void tell_set(struct act_draft *draft, u32 place, const void *address)
{
	u64 set = 0;

	bpf_probe_read_kernel(&set, sizeof(set), address);
	tell(draft, place, set);
}

static __always_inline void tell_sets(struct act_draft *draft, struct cred___system *credentials, u32 place)
{
	tell_set(draft, place, &credentials->cap_effective);
	tell_set(draft, place + 1, &credentials->cap_permitted);
	tell_set(draft, place + 2, &credentials->cap_inheritable);
}

/* (new, old, effective, inheritable, permitted) */
static __always_inline int system_capset(u64 *context)
{
	struct act_draft *draft;
	struct call call;

	current_call(&call);
	draft = begin_system(SYSTEM_CAPSET, &call, 0);
	if (!draft)
		return 0;
	tell_set(draft, CAPSET_EFFECTIVE, (void *)context[2]);
	tell_set(draft, CAPSET_INHERITABLE, (void *)context[3]);
	tell_set(draft, CAPSET_PERMITTED, (void *)context[4]);
	tell_sets(draft, (void *)context[1], CAPSET_OLD_EFFECTIVE);
	send_act(draft);
	return 0;
}
SECURITY_HOOK(system_capset, capset)

/* What the process has once the call has ended. What it had before is gone by then. */
static __always_inline int credentials_ended(const struct call *call)
{
	struct cred___system *now = current_credentials();
	struct act_draft *draft = begin_system(call->kind, call, 1);

	if (!draft)
		return 0;
	if (call->kind == SYSTEM_CAPSET) {
		tell_sets(draft, now, CAPSET_EFFECTIVE);
	} else {
		tell_asked_ids(draft, call);
		if (call->kind == SYSTEM_SETUID)
			tell_uids(draft, now, IDS_NEW_REAL_EFFECTIVE);
		else
			tell_gids(draft, now, IDS_NEW_REAL_EFFECTIVE);
	}
	send_act(draft);
	return 0;
}

SEC("tp_btf/sys_exit")
int system_credentials_call(u64 *context)
{
	struct call call = {};

	return read_call(&call, context) ? credentials_ended(&call) : 0;
}
