/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The records that programs send. ebpf-probes/src/layout.rs mirrors this file field by field.
 * All numbers are in the machine's byte order, all fields aligned to their size, padding is
 * explicit and zero. Variable parts follow the fixed part without gaps, in the order in which
 * their lengths are listed.
 */
#ifndef DEFENDER_RECORD_H
#define DEFENDER_RECORD_H

#include "kernel.h"

enum record_kind {
	RECORD_EXEC = 1,
	RECORD_FORK = 2,
	RECORD_EXIT = 3,
	RECORD_CGROUP_MADE = 4,
	RECORD_CGROUP_REMOVED = 5,
	RECORD_OUTCOME = 6,
	RECORD_FILE = 16,    /* And on: a kind for each act, in the order of event_model::FileAct. */
	RECORD_NETWORK = 40, /* In the order of event_model::NetworkAct. */
	RECORD_DNS = 56,
	RECORD_SYSTEM = 64, /* In the order of event_model::SystemAct. */
	RECORD_KINDS = 112, /* More than the last. */
};

struct record_header {
	u16 kind;
	u16 flags; /* Of the kind; zero where it has none. */
	u32 size;  /* Of the whole record. */
	u64 time;  /* CLOCK_BOOTTIME, nanoseconds. */
};

struct process_key {
	u64 start_time; /* group_leader->start_boottime, nanoseconds. */
	u32 pid;	/* Thread-group id in the host's pid namespace. */
	u32 padding;
};

struct cgroup_key {
	u64 id;
	u32 hierarchy; /* 0 is the default hierarchy: cgroup v2. */
	u32 padding;
};

/* As whom somebody acts: user and group ids of the host's user namespace. */
struct identity {
	u32 uid;
	u32 euid;
	u32 gid;
	u32 egid;
};

/* No system call: the hook is none. */
#define NO_CALL U32_MAX

/* Flags of all acts; those of a subject begin at 1 << 4. */
enum act_flags {
	ACT_RESULT_KNOWN = 1 << 0,   /* The act has ended: `result` is what it returned. */
	ACT_RESULT_FOLLOWS = 1 << 1, /* An outcome_record of the same thread and call will tell it. */
};

/* What begins every record of an act: files, network, system. */
struct act_head {
	struct record_header header;
	struct process_key process;
	struct cgroup_key cgroup;
	s64 result;
	u32 thread; /* Thread id in the host's pid namespace. */
	u32 call;   /* Number of the system call, or NO_CALL. */
	struct identity identity;
};

/* What a call returned that did acts: all those of its thread that wait for it. */
struct outcome_record {
	struct record_header header;
	s64 result;
	u32 thread;
	u32 call;
};

enum exec_flags {
	EXEC_UPPER_LAYER = 1 << 0,	   /* The file lies on an overlay's upper layer. */
	EXEC_DETACHED = 1 << 1,		   /* The file lies in no mounted tree: a memfd. */
	EXEC_OUTSIDE_ROOT = 1 << 2,	   /* The walk up from the file ended elsewhere than at the process's root. */
	EXEC_PATH_TRUNCATED = 1 << 3,	   /* The file's path lacks its upper part. */
	EXEC_DIRECTORY_TRUNCATED = 1 << 4, /* So does the working directory. */
};

struct exec_record {
	struct record_header header;
	struct process_key process;
	struct process_key parent;
	struct cgroup_key cgroup;
	u64 inode;
	s64 changed_seconds;
	s64 modified_seconds;
	u64 capabilities_effective;
	u64 capabilities_permitted;
	u32 changed_nanoseconds;
	u32 modified_nanoseconds;
	u32 device;
	u32 mode;
	u32 owner;
	u32 links;
	u32 uid;
	u32 euid;
	u32 gid;
	u32 egid;
	u32 login_uid;
	u32 namespace_pid;
	char name[16];
	u32 arguments_total; /* Length in the process's memory; more than was read where truncated. */
	/* Lengths of the variable parts. */
	u16 path_length;      /* Components from the file upwards, each with its NUL. */
	u16 directory_length; /* As path. */
	u16 invoked_length;   /* With its NUL. */
	u16 terminal_length;  /* With its NUL; 0 without a terminal. */
	u32 arguments_length; /* Each argument with its NUL. */
	u32 environment_length; /* Each variable with its NUL; 0 where nobody asks for it. */
	u32 process_group; /* As the process itself sees it; 0 where it sees none. */
};

struct fork_record {
	struct record_header header;
	struct process_key creator; /* Who called fork. */
	struct process_key parent;  /* The child's parent: another than the creator after CLONE_PARENT. */
	struct process_key child;
	struct cgroup_key creator_cgroup;
	struct cgroup_key cgroup; /* The child's: another than the creator's after CLONE_INTO_CGROUP. */
	u32 namespace_pid;	  /* The child's, in its innermost pid namespace. */
	u32 padding;
};

struct exit_record {
	struct record_header header;
	struct process_key process;
	struct cgroup_key cgroup;
	u32 exit_code; /* As wait(2) lays it out. */
	u32 padding;
};

struct cgroup_record {
	struct record_header header;
	struct cgroup_key cgroup;
	u32 path_length; /* With its NUL. */
	u32 padding;
};

_Static_assert(sizeof(struct act_head) == 80, "src/layout.rs says the same");
_Static_assert(sizeof(struct outcome_record) == 32, "src/layout.rs says the same");
_Static_assert(sizeof(struct exec_record) == 192, "src/layout.rs says the same");
_Static_assert(sizeof(struct fork_record) == 104, "src/layout.rs says the same");
_Static_assert(sizeof(struct exit_record) == 56, "src/layout.rs says the same");
_Static_assert(sizeof(struct cgroup_record) == 40, "src/layout.rs says the same");

#endif
