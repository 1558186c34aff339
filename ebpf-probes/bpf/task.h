/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What several programs read from a task. */
#ifndef DEFENDER_TASK_H
#define DEFENDER_TASK_H

#include "bpf.h"
#include "record.h"

static __always_inline void read_process_key(struct process_key *key, struct task_struct *task)
{
	key->start_time = task->group_leader->start_boottime;
	key->pid = task->tgid;
	key->padding = 0;
}

/* The same for a task whose address alone is known. */
static __always_inline void read_process_key_by_address(struct process_key *key, struct task_struct *task)
{
	struct task_struct *leader = NULL;

	read_field(leader, task->group_leader);
	read_field(key->start_time, leader->start_boottime);
	read_field(key->pid, task->tgid);
	key->padding = 0;
}

/* Who a task is now, whoever it was when it began its program, and in whose name the kernel acts for it meanwhile. */
static __always_inline void read_identity(struct identity *identity, const struct cred *credentials)
{
	identity->uid = credentials->uid.val;
	identity->euid = credentials->euid.val;
	identity->gid = credentials->gid.val;
	identity->egid = credentials->egid.val;
}

/* The same for a task whose address alone is known. */
static __always_inline void read_identity_by_address(struct identity *identity, struct task_struct *task)
{
	const struct cred *credentials = NULL;

	read_field(credentials, task->real_cred);
	read_field(identity->uid, credentials->uid);
	read_field(identity->euid, credentials->euid);
	read_field(identity->gid, credentials->gid);
	read_field(identity->egid, credentials->egid);
}

/* The process id as the process itself sees it. */
static __always_inline u32 read_namespace_pid(struct task_struct *task)
{
	struct pid *pid = NULL;
	u32 level = 0;
	u32 number = 0;

	read_field(pid, task->thread_pid);
	read_field(level, pid->level);
	bpf_probe_read_kernel(&number, sizeof(number), (void *)&pid->numbers + level * type_size(struct upid));
	return number;
}

#define PIDTYPE_PGID 2 /* enum pid_type of include/linux/pid_types.h */

/* The id of the process group as the process itself sees it; 0 where it sees none, as of a group that came from outside. */
static __always_inline u32 read_process_group(struct task_struct *task)
{
	struct signal_struct *signal = NULL;
	struct pid *group = NULL;
	struct pid *pid = NULL;
	u32 groups_level = 0;
	u32 level = 0;
	u32 number = 0;

	read_field(signal, task->signal);
	read_field(group, signal->pids[PIDTYPE_PGID]);
	read_field(pid, task->thread_pid);
	read_field(level, pid->level);
	read_field(groups_level, group->level);
	if (groups_level < level)
		return 0;
	bpf_probe_read_kernel(&number, sizeof(number), (void *)&group->numbers + level * type_size(struct upid));
	return number;
}

/* The cgroup of one controller. False where the controller is not on a v1 hierarchy, and at such a hierarchy's root. */
static __always_inline int read_controller_cgroup(struct cgroup_key *key, struct css_set *set, u64 controller)
{
	struct cgroup_subsys_state *state = NULL;
	struct cgroup *cgroup = NULL;
	struct kernfs_node *node = NULL;
	struct cgroup_root *root = NULL;
	u32 hierarchy = 0;
	int level = 0;

	bpf_probe_read_kernel(&state, sizeof(state), (void *)&set->subsys + controller * sizeof(state));
	read_field(cgroup, state->cgroup);
	read_field(root, cgroup->root);
	read_field(hierarchy, root->hierarchy_id);
	read_field(level, cgroup->level);
	if (hierarchy == 0 || level == 0)
		return 0;
	read_field(node, cgroup->kn);
	read_field(key->id, node->id);
	key->hierarchy = hierarchy;
	return 1;
}

/* The cgroup of the memory controller, else of the pids controller. */
static __always_inline int read_first_controller_cgroup(struct cgroup_key *key, struct css_set *set)
{
	if (enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id) &&
	    read_controller_cgroup(key, set, enum_value(enum cgroup_subsys_id, memory_cgrp_id)))
		return 1;
	return enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id) &&
	       read_controller_cgroup(key, set, enum_value(enum cgroup_subsys_id, pids_cgrp_id));
}

/*
 * The cgroup that tells a task's container: on v1 and hybrid hosts that of the memory or the pids controller, else
 * the one of cgroup v2. In this order, because on a hybrid host runtimes place containers by their controllers and leave
 * them in v2 where the runtime itself is (0::/system.slice/containerd.service).
 */
static __always_inline void read_cgroup(struct cgroup_key *key, struct task_struct *task)
{
	struct cgroup *cgroup = task->cgroups->dfl_cgrp;
	struct css_set *set = NULL;

	key->padding = 0;
	read_field(set, task->cgroups);
	if (read_first_controller_cgroup(key, set))
		return;
	key->id = cgroup->kn->id;
	key->hierarchy = cgroup->root->hierarchy_id;
}

/* The same for a task whose address alone is known. */
static __always_inline void read_cgroup_by_address(struct cgroup_key *key, struct task_struct *task)
{
	struct css_set *set = NULL;
	struct cgroup *cgroup = NULL;
	struct kernfs_node *node = NULL;
	struct cgroup_root *root = NULL;

	key->padding = 0;
	read_field(set, task->cgroups);
	if (read_first_controller_cgroup(key, set))
		return;
	read_field(cgroup, set->dfl_cgrp);
	read_field(node, cgroup->kn);
	read_field(root, cgroup->root);
	read_field(key->id, node->id);
	read_field(key->hierarchy, root->hierarchy_id);
}

#endif
