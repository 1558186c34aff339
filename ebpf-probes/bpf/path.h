/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Paths from the kernel's directory entries. */
#ifndef DEFENDER_PATH_H
#define DEFENDER_PATH_H

#include "bpf.h"

#define PATH_LIMIT 4096	    /* PATH_MAX */
#define COMPONENT_LIMIT 256 /* NAME_MAX and the NUL */
#define WALK_STRIDE 8	    /* Steps of one function call. */
#define WALK_STRIDES 20	    /* So many steps in all may lead up to the root: components and mount points. */

enum walk_end {
	WALK_MET_ROOT = 1 << 0,
	WALK_DETACHED = 1 << 1,
	WALK_TRUNCATED = 1 << 2,
	WALK_GOES_ON = 1 << 3,
};

/* A walk up to a root, as far as it has come. It lies in a map, of whose contents the verifier keeps no track: each stride looks the same to it. */
struct path_walk {
	struct vfsmount *mount;
	struct dentry *dentry;
	u64 root_mount;
	u64 root_dentry;
	u64 begin;    /* Bytes that were used before. */
	u64 crossing; /* What was used when the walk first left a mount; U64_MAX before. */
};

static __always_inline void begin_walk(struct path_walk *walk, u64 mount, u64 dentry, u64 root_mount, u64 root_dentry)
{
	walk->mount = (void *)mount;
	walk->dentry = (void *)dentry;
	walk->root_mount = root_mount;
	walk->root_dentry = root_dentry;
	walk->crossing = U64_MAX;
}

/* From the root of a mount to where it is mounted. False at the top. */
static __always_inline int leave_mount(struct vfsmount **mount, struct dentry **dentry)
{
	struct mount *whole = (void *)*mount - field_offset(struct mount, mnt);
	struct mount *above = NULL;

	read_field(above, whole->mnt_parent);
	if (above == whole)
		return 0;
	read_field(*dentry, whole->mnt_mountpoint);
	*mount = (void *)above + field_offset(struct mount, mnt);
	return 1;
}

/* Appends one component to `parts`, or leaves a mount. Returns walk_end. */
static __always_inline int step_up(u8 *parts, u64 *used_slot, u64 parts_limit, struct path_walk *walk)
{
	struct vfsmount *mount = walk->mount;
	struct dentry *dentry = walk->dentry;
	struct dentry *mount_root = NULL;
	struct dentry *parent = NULL;
	const unsigned char *name = NULL;
	u64 used = *used_slot;
	long length;

	if ((u64)mount == walk->root_mount && (u64)dentry == walk->root_dentry)
		return WALK_MET_ROOT;
	read_field(mount_root, mount->mnt_root);
	if (dentry == mount_root) {
		if (!leave_mount(&mount, &dentry))
			return 0;
		if (walk->crossing == U64_MAX)
			walk->crossing = used;
		walk->mount = mount;
		walk->dentry = dentry;
		return WALK_GOES_ON;
	}
	keep_bounds(used);
	if (used - walk->begin > PATH_LIMIT || used > parts_limit - COMPONENT_LIMIT)
		return WALK_TRUNCATED;
	read_field(name, dentry->d_name.name);
	length = bpf_probe_read_kernel_str(parts + used, COMPONENT_LIMIT, name);
	if (length <= 0)
		return WALK_TRUNCATED;
	*used_slot = used + length;
	read_field(parent, dentry->d_parent);
	if (parent == dentry)
		return WALK_DETACHED;
	walk->dentry = parent;
	return WALK_GOES_ON;
}

/*
 * Some steps of a walk that appends a path to `parts`, of which `used` bytes are taken: its components from the last one upwards,
 * across mount points, up to the root. As the kernel's prepend_path does, which programs of most types may not call.
 * Call it from one global function for each kind of draft, and that one WALK_STRIDES times.
 */
static __always_inline int stride_up(u8 *parts, u64 *used_slot, u64 parts_limit, struct path_walk *walk)
{
	for (int step = 0; step < WALK_STRIDE; step++) {
		int end = step_up(parts, used_slot, parts_limit, walk);

		if (end != WALK_GOES_ON)
			return end;
	}
	return WALK_GOES_ON;
}

#endif
