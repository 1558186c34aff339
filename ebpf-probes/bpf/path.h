/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Paths from the kernel's directory entries. */
#ifndef DEFENDER_PATH_H
#define DEFENDER_PATH_H

#include "bpf.h"

#define PATH_LIMIT 4096	    /* PATH_MAX */
#define COMPONENT_LIMIT 256 /* NAME_MAX and the NUL */
#define WALK_LIMIT 160	    /* Components and mount points on the way up to the root. */

enum walk_end {
	WALK_MET_ROOT = 1 << 0,
	WALK_DETACHED = 1 << 1,
	WALK_TRUNCATED = 1 << 2,
};

/* From where, and up to which root. Addresses as numbers. */
struct path_walk {
	u64 mount;
	u64 dentry;
	u64 root_mount;
	u64 root_dentry;
	u64 *crossing; /* NULL, or where to note what was used when the walk first left a mount; U64_MAX before. */
};

/*
 * Appends a path to `parts`, of which `used` bytes are taken: its components from the last one upwards, across
 * mount points, up to the root. As the kernel's prepend_path does, which programs of most types may not
 * call. Returns walk_end. Inlined it is large: call it from one global function for each kind of draft.
 */
static __always_inline int walk_up(u8 *parts, u64 *used_slot, u64 parts_limit, struct path_walk walk)
{
	struct vfsmount *mount = (void *)walk.mount;
	struct dentry *dentry = (void *)walk.dentry;
	u64 begin = *used_slot;

	for (int step = 0; step < WALK_LIMIT; step++) {
		struct dentry *mount_root = NULL;
		struct dentry *parent = NULL;
		const unsigned char *name = NULL;
		u64 used;
		long length;

		if ((u64)mount == walk.root_mount && (u64)dentry == walk.root_dentry)
			return WALK_MET_ROOT;
		read_field(mount_root, mount->mnt_root);
		if (dentry == mount_root) {
			struct mount *whole = (void *)mount - field_offset(struct mount, mnt);
			struct mount *above = NULL;

			read_field(above, whole->mnt_parent);
			if (above == whole)
				return 0;
			read_field(dentry, whole->mnt_mountpoint);
			if (walk.crossing && *walk.crossing == U64_MAX)
				*walk.crossing = *used_slot;
			mount = (void *)above + field_offset(struct mount, mnt);
			continue;
		}
		used = *used_slot;
		keep_bounds(used);
		if (used - begin > PATH_LIMIT || used > parts_limit - COMPONENT_LIMIT)
			return WALK_TRUNCATED;
		read_field(name, dentry->d_name.name);
		length = bpf_probe_read_kernel_str(parts + used, COMPONENT_LIMIT, name);
		if (length <= 0)
			return WALK_TRUNCATED;
		*used_slot = used + length;
		read_field(parent, dentry->d_parent);
		if (parent == dentry)
			return WALK_DETACHED;
		dentry = parent;
	}
	return WALK_TRUNCATED;
}

#endif
