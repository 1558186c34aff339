/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Cgroups come and go, on every hierarchy: the moment a container gets its name in the kernel. */
#include "bpf.h"
#include "output.h"

/* The kernel hands out at most TRACE_CGROUP_PATH_LEN bytes of path. */
#define CGROUP_PATH_LIMIT 1024

/* As exec_draft. The kernel calls both programs under one spin lock. */
struct cgroup_draft {
	struct cgroup_record record;
	u8 path[CGROUP_PATH_LIMIT];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct cgroup_draft);
} cgroup_drafts SEC(".maps");

static __always_inline void send_cgroup(u64 *context, u32 kind)
{
	struct cgroup *cgroup = (void *)context[0];
	const char *path = (void *)context[1];
	u32 zero = 0;
	struct cgroup_draft *draft = bpf_map_lookup_elem(&cgroup_drafts, &zero);
	long length;
	u64 size;

	if (!draft) {
		count_drop(kind);
		return;
	}
	length = bpf_probe_read_kernel_str(draft->path, CGROUP_PATH_LIMIT, path);
	if (length < 0)
		length = 0;
	size = sizeof(draft->record) + length;
	keep_bounds(size);
	if (size > sizeof(*draft)) {
		count_drop(kind);
		return;
	}
	fill_header(&draft->record.header, kind, size);
	draft->record.cgroup.id = cgroup->kn->id;
	draft->record.cgroup.hierarchy = cgroup->root->hierarchy_id;
	draft->record.cgroup.padding = 0;
	draft->record.path_length = length;
	draft->record.padding = 0;
	send(kind, draft, size);
}

SEC("tp_btf/cgroup_mkdir")
int cgroup_made(u64 *context)
{
	send_cgroup(context, RECORD_CGROUP_MADE);
	return 0;
}

SEC("tp_btf/cgroup_rmdir")
int cgroup_removed(u64 *context)
{
	send_cgroup(context, RECORD_CGROUP_REMOVED);
	return 0;
}
