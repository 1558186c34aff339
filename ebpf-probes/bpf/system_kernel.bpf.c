/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What changes the kernel or looks into it: modules, BPF, other kernels, keys, performance events. */
#include "system.h"
#include "system_target.h"

#define CALL_INIT_MODULE 175, 105, 128
#define CALL_FINIT_MODULE 313, 273, 350
#define CALL_KEXEC_LOAD 246, 104, 283
#define CALL_KEXEC_FILE_LOAD 320, 294, 0
#define CALL_PERF_EVENT_OPEN 298, 241, 336

/* Values of SYSTEM_MODULE_LOAD and SYSTEM_MODULE_UNLOAD. */
enum module_values {
	MODULE_FLAGS,
	MODULE_DESCRIPTOR,
};

/* Values of SYSTEM_BPF. */
enum bpf_values {
	BPF_COMMAND,
	BPF_TYPE, /* Of the program, or of the map. */
	BPF_ID,	  /* Of the program, map or link that the command is about. */
};

/* Values of SYSTEM_KEXEC_LOAD. */
enum kexec_values {
	KEXEC_FLAGS,
	KEXEC_SEGMENTS,
};

/* Values of SYSTEM_KEYCTL. */
enum keyctl_values {
	KEYCTL_OPERATION,
	KEYCTL_FIRST,
	KEYCTL_SECOND,
};

/* Values of SYSTEM_PERF_EVENT_OPEN. */
enum perf_values {
	PERF_TYPE,
	PERF_CONFIG,
	PERF_PID,
	PERF_CPU,
	PERF_FLAGS,
};

/* Whose loads of BPF programs are not told: the sensor's own, by the number in its innermost pid namespace. Set by user space. */
volatile const u32 own_pid;
volatile const u32 own_pid_namespace;

/* A module was laid out, and is about to begin. (module) */
SEC("tp_btf/module_load")
int system_module_load(u64 *context)
{
	struct module *module = (void *)context[0];
	struct act_draft *draft;
	struct call call;

	current_call(&call);
	draft = begin_system(SYSTEM_MODULE_LOAD, &call, 0);
	if (!draft)
		return 0;
	if (is_call(&call, CALL_FINIT_MODULE)) {
		tell(draft, MODULE_DESCRIPTOR, (u32)call.arguments[0]);
		tell(draft, MODULE_FLAGS, (u32)call.arguments[2]);
		tell_descriptor(draft, call.arguments[0]);
	}
	tell_text(draft, &module->name);
	send_act(draft);
	return 0;
}

/* A module goes. (module) */
SEC("tp_btf/module_free")
int system_module_unload(u64 *context)
{
	struct module *module = (void *)context[0];
	struct act_draft *draft;
	struct call call;

	current_call(&call);
	draft = begin_system(SYSTEM_MODULE_UNLOAD, &call, 0);
	if (!draft)
		return 0;
	tell_text(draft, &module->name);
	send_act(draft);
	return 0;
}

static __always_inline void tell_module(struct act_draft *draft, const struct call *call)
{
	if (call->kind == SYSTEM_MODULE_UNLOAD) {
		tell(draft, MODULE_FLAGS, (u32)call->arguments[1]);
		tell_callers_text(draft, (void *)call->arguments[0]);
	} else if (is_call(call, CALL_FINIT_MODULE)) {
		tell(draft, MODULE_DESCRIPTOR, (u32)call->arguments[0]);
		tell(draft, MODULE_FLAGS, (u32)call->arguments[2]);
		tell_descriptor(draft, call->arguments[0]);
	}
}

/* include/uapi/linux/bpf.h. Commands that handle elements, list or describe are not told. */
#define BPF_MAP_CREATE 0
#define BPF_PROG_LOAD 5
#define BPF_TOLD_COMMANDS                                                                                              \
	(1ULL << BPF_MAP_CREATE | 1ULL << BPF_PROG_LOAD | 1ULL << 6 /* OBJ_PIN */ | 1ULL << 7 /* OBJ_GET */ |          \
	 1ULL << 8 /* PROG_ATTACH */ | 1ULL << 9 /* PROG_DETACH */ | 1ULL << 13 /* PROG_GET_FD_BY_ID */ |              \
	 1ULL << 14 /* MAP_GET_FD_BY_ID */ | 1ULL << 17 /* RAW_TRACEPOINT_OPEN */ | 1ULL << 28 /* LINK_CREATE */ |     \
	 1ULL << 29 /* LINK_UPDATE */ | 1ULL << 30 /* LINK_GET_FD_BY_ID */ | 1ULL << 32 /* ENABLE_STATS */ |           \
	 1ULL << 34 /* LINK_DETACH */ | 1ULL << 35 /* PROG_BIND_MAP */ | 1ULL << 36 /* TOKEN_CREATE */)
#define BPF_OBJECT_NAME 16
/* Of union bpf_attr. */
#define BPF_MAP_NAME_OFFSET 28
#define BPF_PROGRAM_NAME_OFFSET 48

#define BPF_PROG_DETACH 9
/* Commands that get a descriptor for an id: PROG_, MAP_ and LINK_GET_FD_BY_ID. */
#define BPF_GETTING_COMMANDS (1ULL << 13 | 1ULL << 14 | 1ULL << 30)
/* MAP_LOOKUP_AND_DELETE_BATCH, MAP_UPDATE_BATCH, MAP_DELETE_BATCH. */
#define BPF_BATCH_COMMANDS (1ULL << 25 | 1ULL << 26 | 1ULL << 27)
/* And MAP_UPDATE_ELEM, MAP_DELETE_ELEM, MAP_LOOKUP_AND_DELETE_ELEM, MAP_FREEZE. */
#define BPF_CHANGING_COMMANDS (BPF_BATCH_COMMANDS | 1ULL << 2 | 1ULL << 3 | 1ULL << 21 | 1ULL << 22)
/* PROG_DETACH, PROG_GET_FD_BY_ID. */
#define BPF_PROGRAM_COMMANDS (1ULL << BPF_PROG_DETACH | 1ULL << 13)
/* LINK_UPDATE, LINK_GET_FD_BY_ID, LINK_DETACH. */
#define BPF_LINK_COMMANDS (1ULL << 29 | 1ULL << 30 | 1ULL << 34)
#define BPF_OBJECT_COMMANDS                                                                                            \
	(BPF_GETTING_COMMANDS | BPF_CHANGING_COMMANDS | BPF_PROGRAM_COMMANDS | BPF_LINK_COMMANDS)
/* Of union bpf_attr. */
#define BPF_BATCH_MAP_OFFSET 36
#define BPF_DETACHED_PROGRAM_OFFSET 4

/* The sensor's own maps, by their ids. User space fills it: commands that change an element of these are told. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, u32);
	__type(value, u32);
} own_maps SEC(".maps");

static __always_inline int is_among(u64 command, u64 commands)
{
	return command < 64 && commands >> command & 1;
}

/* Where the attributes of a command that is about a program, map or link name it: by its id, or by a descriptor. */
static __always_inline u32 object_offset(u32 command)
{
	if (command == BPF_PROG_DETACH)
		return BPF_DETACHED_PROGRAM_OFFSET;
	return is_among(command, BPF_BATCH_COMMANDS) ? BPF_BATCH_MAP_OFFSET : 0;
}

/*
 * The id of what a descriptor stands for; the command says what that is. A descriptor of another kind of file is what the
 * kernel refuses: the number is nothing then. Global, so that the verifier looks at it once.
 */
__noinline u32 bpf_object_id(u32 command, u32 descriptor)
{
	struct file *file = open_file(descriptor);
	struct bpf_prog_aux *more = NULL;
	void *object = NULL;
	u32 id = 0;

	if (!file)
		return 0;
	read_field(object, file->private_data);
	if (is_among(command, BPF_PROGRAM_COMMANDS)) {
		read_field(more, ((struct bpf_prog *)object)->aux);
		read_field(id, more->id);
	} else if (is_among(command, BPF_LINK_COMMANDS)) {
		read_field(id, ((struct bpf_link *)object)->id);
	} else {
		read_field(id, ((struct bpf_map *)object)->id);
	}
	return id;
}

/* Commands that change elements are given all the time: they are told where the map is the sensor's. */
static __always_inline int is_told(u32 command, u32 id)
{
	if (is_among(command, BPF_CHANGING_COMMANDS))
		return bpf_map_lookup_elem(&own_maps, &id) != NULL;
	return is_among(command, BPF_TOLD_COMMANDS);
}

static __always_inline int is_own(void)
{
	struct task_struct *task = bpf_get_current_task();
	struct pid_namespace *namespace = NULL;
	struct task_struct *leader = NULL;
	struct pid *number = NULL;
	u32 level = 0;
	u32 inode = 0;

	read_field(leader, task->group_leader);
	if (read_namespace_pid(leader) != own_pid)
		return 0;
	read_field(number, leader->thread_pid);
	read_field(level, number->level);
	bpf_probe_read_kernel(&namespace, sizeof(namespace),
			      (void *)&number->numbers + level * type_size(struct upid) +
				      field_offset(struct upid___namespaced, ns));
	read_field(inode, namespace->ns.inum);
	return inode == own_pid_namespace;
}

/* (command, attributes, their size): the attributes are the kernel's copy. */
static __always_inline int system_bpf(u64 *context)
{
	void *attributes = (void *)context[1];
	u32 command = context[0];
	struct act_draft *draft;
	struct call call;
	u32 type = 0, id = 0;

	if (is_among(command, BPF_OBJECT_COMMANDS)) {
		bpf_probe_read_kernel(&id, sizeof(id), attributes + object_offset(command));
		if (!is_among(command, BPF_GETTING_COMMANDS))
			id = bpf_object_id(command, id);
	}
	if (!is_told(command, id) || is_own())
		return 0;
	current_call(&call);
	draft = begin_system(SYSTEM_BPF, &call, 0);
	if (!draft)
		return 0;
	tell(draft, BPF_COMMAND, command);
	if (command == BPF_PROG_LOAD || command == BPF_MAP_CREATE) {
		u32 offset = command == BPF_PROG_LOAD ? BPF_PROGRAM_NAME_OFFSET : BPF_MAP_NAME_OFFSET;

		bpf_probe_read_kernel(&type, sizeof(type), attributes);
		tell(draft, BPF_TYPE, type);
		if ((u32)context[2] >= offset + BPF_OBJECT_NAME)
			tell_text(draft, attributes + offset);
	}
	if (id)
		tell(draft, BPF_ID, id);
	send_act(draft);
	return 0;
}
SECURITY_HOOK(system_bpf, bpf)

/*
 * At the end of the call. What was got by its id is what the new descriptor stands for; which one a command was about that
 * was given a descriptor, the caller's memory says.
 */
static __always_inline u32 object_of_call(const struct call *call, u32 command)
{
	u32 descriptor = 0;

	if (is_among(command, BPF_GETTING_COMMANDS))
		return call->result >= 0 ? bpf_object_id(command, call->result) : 0;
	if (!is_among(command, BPF_OBJECT_COMMANDS))
		return 0;
	bpf_probe_read_user(&descriptor, sizeof(descriptor), (void *)call->arguments[1] + object_offset(command));
	return bpf_object_id(command, descriptor);
}

static __always_inline int bpf_ended(const struct call *call)
{
	u32 command = call->arguments[0];
	struct bpf_prog *program = NULL;
	struct bpf_prog_aux *more = NULL;
	u32 id = object_of_call(call, command);
	struct system_record *record;
	struct act_draft *draft;
	struct file *file;
	u32 type = 0;

	if (!is_told(command, id) || is_own())
		return 0;
	draft = begin_system(SYSTEM_BPF, call, 1);
	if (!draft)
		return 0;
	tell(draft, BPF_COMMAND, command);
	if (id) {
		tell(draft, BPF_ID, id);
		record = (void *)draft->bytes;
		if (is_among(command, BPF_GETTING_COMMANDS))
			tell_descriptor_is_shared(draft);
		else
			record->act.header.flags |= SYSTEM_OF_CALLER;
	}
	if (command == BPF_PROG_LOAD && call->result >= 0) {
		file = open_file(call->result);
		if (file) {
			read_field(program, file->private_data);
			read_field(type, program->type);
			read_field(more, program->aux);
			tell(draft, BPF_TYPE, type);
			tell_text(draft, &more->name);
			tell_descriptor_is_shared(draft);
		}
	}
	send_act(draft);
	return 0;
}

static __always_inline int report_kexec(const struct call *call, struct file *file, int ended)
{
	struct act_draft *draft = begin_system(SYSTEM_KEXEC_LOAD, call, ended);

	if (!draft)
		return 0;
	if (is_call(call, CALL_KEXEC_LOAD)) {
		tell(draft, KEXEC_SEGMENTS, call->arguments[1]);
		tell(draft, KEXEC_FLAGS, call->arguments[3]);
	} else {
		tell(draft, KEXEC_FLAGS, call->arguments[4]);
		tell_file(draft, file);
		if (ended)
			tell_descriptor_is_shared(draft);
	}
	send_act(draft);
	return 0;
}

/* A kernel is to come from memory. (what is loaded, ...) */
static __always_inline int system_kexec(u64 *context)
{
	struct call call;

	if ((u32)context[0] != enum_value(enum kernel_load_data_id, LOADING_KEXEC_IMAGE))
		return 0;
	current_call(&call);
	return report_kexec(&call, NULL, 0);
}
SECURITY_HOOK(system_kexec, kernel_load_data)

/* A kernel is to come from a file. (file, what is loaded, ...) */
static __always_inline int system_kexec_file(u64 *context)
{
	struct call call;

	if ((u32)context[1] != enum_value(enum kernel_read_file_id, READING_KEXEC_IMAGE))
		return 0;
	current_call(&call);
	return report_kexec(&call, (void *)context[0], 0);
}
SECURITY_HOOK(system_kexec_file, kernel_read_file)

static __always_inline int report_keyctl(const struct call *call, int ended)
{
	struct act_draft *draft = begin_system(SYSTEM_KEYCTL, call, ended);

	if (!draft)
		return 0;
	tell(draft, KEYCTL_OPERATION, (u32)call->arguments[0]);
	tell(draft, KEYCTL_FIRST, call->arguments[1]);
	tell(draft, KEYCTL_SECOND, call->arguments[2]);
	send_act(draft);
	return 0;
}

static __always_inline int keyctl_returned(s64 result)
{
	struct call call;

	current_call(&call);
	call.result = result;
	return report_keyctl(&call, 1);
}

SEC("fexit/__x64_sys_keyctl")
int system_keyctl_returned(u64 *context)
{
	return keyctl_returned(context[1]);
}

SEC("fexit/__ia32_compat_sys_keyctl")
int system_keyctl_compat_returned(u64 *context)
{
	return keyctl_returned(context[1]);
}

static __always_inline int report_perf(const struct call *call, struct perf_event *event, int ended)
{
	struct act_draft *draft = begin_system(SYSTEM_PERF_EVENT_OPEN, call, ended);
	struct task_struct *target = NULL;
	u32 type = 0;
	u64 config = 0;

	if (!draft)
		return 0;
	if (event) {
		read_field(type, event->attr.type);
		read_field(config, event->attr.config);
		read_field(target, event->hw.target);
		tell(draft, PERF_TYPE, type);
		tell(draft, PERF_CONFIG, config);
		tell_target(draft, target);
		if (ended)
			tell_descriptor_is_shared(draft);
	}
	tell(draft, PERF_PID, (u32)call->arguments[1]);
	tell(draft, PERF_CPU, (u32)call->arguments[2]);
	tell(draft, PERF_FLAGS, call->arguments[4]);
	send_act(draft);
	return 0;
}

/* Children inherit events, without a call. (event) */
static __always_inline int system_perf(u64 *context)
{
	struct call call;

	current_call(&call);
	return is_call(&call, CALL_PERF_EVENT_OPEN) ? report_perf(&call, (void *)context[0], 0) : 0;
}
SECURITY_HOOK(system_perf, perf_event_alloc)

static __always_inline int perf_ended(const struct call *call)
{
	struct perf_event *event = NULL;
	struct file *file = NULL;

	if (call->result >= 0)
		file = open_file(call->result);
	if (file)
		bpf_probe_read_kernel(&event, sizeof(event), &file->private_data);
	return report_perf(call, event, 1);
}

static __always_inline int kexec_ended(const struct call *call)
{
	return report_kexec(call, is_call(call, CALL_KEXEC_LOAD) ? NULL : open_file(call->arguments[0]), 1);
}

static __always_inline int module_ended(const struct call *call)
{
	struct act_draft *draft = begin_system(call->kind, call, 1);

	if (!draft)
		return 0;
	tell_module(draft, call);
	send_act(draft);
	return 0;
}

SEC("tp_btf/sys_exit")
int system_kernel_call(u64 *context)
{
	struct call call = {};

	if (!read_call(&call, context))
		return 0;
	if (call.kind == SYSTEM_BPF)
		return bpf_ended(&call);
	if (call.kind == SYSTEM_KEXEC_LOAD)
		return kexec_ended(&call);
	if (call.kind == SYSTEM_KEYCTL)
		return report_keyctl(&call, 1);
	if (call.kind == SYSTEM_PERF_EVENT_OPEN)
		return perf_ended(&call);
	return module_ended(&call);
}
