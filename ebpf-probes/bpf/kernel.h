/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The kernel's types, as far as our programs read them. Only names matter: the attribute below has
 * clang record each access, and the loader puts in the offsets of the running kernel (CO-RE).
 * A suffix of three underscores and more ("flavour") is not part of the kernel's name: it tells
 * the shapes that one type had in different releases.
 */
#ifndef DEFENDER_KERNEL_H
#define DEFENDER_KERNEL_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long s64;

#define NULL ((void *)0)
#define __always_inline inline __attribute__((always_inline))
#define __noinline __attribute__((noinline))

#define PF_KTHREAD 0x00200000
#define OVERLAYFS_SUPER_MAGIC 0x794c7630
#define SIGNAL_GROUP_EXIT 0x00000004
#define U32_MAX 0xffffffffU
#define U64_MAX 0xffffffffffffffffULL
#define NO_LOGIN_UID U32_MAX

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	u32 val;
} kuid_t;

typedef struct {
	u32 val;
} kgid_t;

/* Two 32-bit words up to 6.2, one of 64 bits since: the same eight bytes on a little-endian machine. */
typedef struct {
	u64 val;
} kernel_cap_t;

struct timespec64 {
	s64 tv_sec;
	long tv_nsec;
};

struct qstr {
	u64 hash_len; /* The length in the upper half. */
	const unsigned char *name;
};

/* The two halves of hash_len. A typed pointer leads to these alone, for they stand first in a union. */
struct qstr___halves {
	u32 hash;
	u32 len;
};

struct file_system_type {
	const char *name;
};

struct super_block {
	u32 s_dev;
	struct file_system_type *s_type;
	struct dentry *s_root;
	unsigned long s_magic;
};

struct inode {
	u16 i_mode;
	kuid_t i_uid;
	struct super_block *i_sb;
	unsigned long i_ino;
	u32 i_rdev;
	u32 i_nlink;
};

/* From 6.11 on. */
struct inode___split_times {
	s64 i_ctime_sec;
	u32 i_ctime_nsec;
	s64 i_mtime_sec;
	u32 i_mtime_nsec;
};

/* i_ctime in 6.6 to 6.10. */
struct inode___underscored_change {
	struct timespec64 __i_ctime;
};

/* i_mtime in 6.7 to 6.10. */
struct inode___underscored_modification {
	struct timespec64 __i_mtime;
};

/* Before them. */
struct inode___plain_times {
	struct timespec64 i_ctime;
	struct timespec64 i_mtime;
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	struct super_block *d_sb;
};

/* Where short names stand up to 6.13. */
struct dentry___array_name {
	unsigned char d_iname[32];
};

/* And since. */
struct dentry___union_name {
	struct {
		u64 words[5];
	} d_shortname;
};

struct vfsmount {
	struct dentry *mnt_root;
	struct super_block *mnt_sb;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
	struct mnt_namespace *mnt_ns;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	struct path f_path;
	struct inode *f_inode;
	unsigned int f_flags;
	unsigned int f_mode;
	void *private_data;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	atomic_t count; /* How many tasks share it. */
	struct fdtable *fdt;
};

/* Registers of the program at a system call. On x86_64. */
struct pt_regs___x86 {
	unsigned long orig_ax;
	unsigned long bx, cx, dx, si, di, bp;
	unsigned long r8, r9, r10;
};

/* On arm64. */
struct pt_regs___arm64 {
	u64 regs[31];
	u64 orig_x0;
	int syscallno;
};

struct thread_info {
	unsigned int status;
};

struct fs_struct {
	struct path root;
	struct path pwd;
};

struct linux_binprm {
	struct file *file;
	const char *filename;
};

struct mm_struct {
	unsigned long arg_start;
	unsigned long arg_end;
	unsigned long env_start;
	unsigned long env_end;
	struct file *exe_file;
};

struct tty_struct {
	char name[64];
};

struct pid;

struct signal_struct {
	atomic_t live;
	struct pid *pids[4]; /* By enum pid_type. */
	int nr_threads;
	int group_exit_code;
	unsigned int flags;
	struct tty_struct *tty;
};

struct cred {
	kuid_t uid;
	kgid_t gid;
	kuid_t euid;
	kgid_t egid;
	kernel_cap_t cap_permitted;
	kernel_cap_t cap_effective;
};

struct upid {
	int nr;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct kernfs_node {
	u64 id;
};

struct cgroup_root {
	int hierarchy_id;
};

struct cgroup {
	int level;
	struct kernfs_node *kn;
	struct cgroup_root *root;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
};

struct css_set {
	struct cgroup_subsys_state *subsys[1];
	struct cgroup *dfl_cgrp;
};

struct task_struct {
	unsigned int flags;
	struct mm_struct *mm;
	int exit_code;
	int pid;
	int tgid;
	struct thread_info thread_info;
	struct files_struct *files;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	u64 start_boottime;
	u64 self_exec_id; /* Counts the programs that the process has executed. */
	const struct cred *real_cred; /* Its own; `cred` is another's while the kernel acts in that one's name. */
	const struct cred *cred;
	char comm[16];
	struct fs_struct *fs;
	struct signal_struct *signal;
	struct css_set *cgroups;
};

struct bpf_iter_meta {
	struct seq_file *seq;
};

/* Only with CONFIG_AUDIT. */
struct task_struct___audited {
	kuid_t loginuid;
};

#pragma clang attribute pop

enum bpf_func_id {
	BPF_FUNC_get_current_task_btf = 158,
};

/* The values are the running kernel's: see enum_value in bpf.h. */
enum cgroup_subsys_id {
	memory_cgrp_id = 1,
	pids_cgrp_id = 2,
};

#endif
