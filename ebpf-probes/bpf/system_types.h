/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What programs for acts on processes, on the kernel and on memory read of the kernel's types. See kernel.h. */
#ifndef DEFENDER_SYSTEM_TYPES_H
#define DEFENDER_SYSTEM_TYPES_H

#include "bpf.h"

#define THREAD_SIZE 16384 /* Of x86_64 and arm64, without KASAN. */

enum bpf_prog_type {
	BPF_PROG_TYPE_UNSPEC,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct hlist_node {
	struct hlist_node *next;
};

struct hlist_head {
	struct hlist_node *first;
};

struct nsproxy;

struct task_struct___system {
	void *stack;
	struct nsproxy *nsproxy;
	struct hlist_node pid_links[4];
	struct pid *thread_pid;
	const struct cred *cred;
	char comm[16];
	struct sighand_struct *sighand;
};

struct cred___system {
	kuid_t uid;
	kgid_t gid;
	kuid_t suid;
	kgid_t sgid;
	kuid_t euid;
	kgid_t egid;
	kuid_t fsuid;
	kgid_t fsgid;
	kernel_cap_t cap_inheritable;
	kernel_cap_t cap_permitted;
	kernel_cap_t cap_effective;
	struct user_namespace *user_ns;
};

/* Namespaces. */

struct proc_ns_operations {
	int type;
};

struct ns_common {
	const struct proc_ns_operations *ops;
	unsigned int inum;
};

/* From 6.18 on; before, `ops` tells the type. */
struct ns_common___typed {
	u32 ns_type;
};

struct user_namespace {
	struct ns_common ns;
};

struct uts_namespace {
	struct ns_common ns;
};

struct ipc_namespace {
	struct ns_common ns;
};

struct mnt_namespace {
	struct ns_common ns;
};

struct net___namespaced {
	struct ns_common ns;
};

struct cgroup_namespace {
	struct ns_common ns;
};

struct time_namespace {
	struct ns_common ns;
};

struct xarray {
	void *xa_head;
};

struct idr {
	struct xarray idr_rt;
};

struct pid_namespace {
	struct idr idr;
	struct ns_common ns;
};

struct nsproxy {
	struct uts_namespace *uts_ns;
	struct ipc_namespace *ipc_ns;
	struct mnt_namespace *mnt_ns;
	struct pid_namespace *pid_ns_for_children;
	struct net___namespaced *net_ns;
	struct time_namespace *time_ns_for_children;
	struct cgroup_namespace *cgroup_ns;
};

struct inode___private {
	void *i_private;
};

/* Processes by their number. */

struct xa_node {
	unsigned char shift;
	void *slots[64];
};

struct upid___namespaced {
	struct pid_namespace *ns;
};

struct pid___tasks {
	struct hlist_head tasks[4];
};

/* Signals. */

struct kernel_siginfo {
	int si_code;
};

struct sigaction {
	void *sa_handler;
};

struct k_sigaction {
	struct sigaction sa;
};

struct sighand_struct {
	struct k_sigaction action[64];
};

/* Sockets. */

struct in6_addr___end {
	u8 bytes[16];
};

struct sock_common___end {
	u16 skc_family;
	u16 skc_dport; /* Network order. */
	u16 skc_num;   /* The machine's order. */
	u32 skc_daddr;
	u32 skc_rcv_saddr;
	struct in6_addr___end skc_v6_daddr;
	struct in6_addr___end skc_v6_rcv_saddr;
};

struct sock___end {
	struct sock_common___end __sk_common;
};

struct socket___end {
	struct sock___end *sk;
};

/* Memory. */

struct vm_area_struct {
	unsigned long vm_start;
	unsigned long vm_flags;
	void *anon_vma;
	struct file *vm_file;
};

/* Modules, BPF programs, performance events. */

struct module {
	char name[56];
};

struct bpf_prog_aux {
	u32 id;
	char name[16];
};

struct bpf_map {
	u32 id;
};

struct bpf_link {
	u32 id;
};

struct bpf_prog {
	enum bpf_prog_type type;
	struct bpf_prog_aux *aux;
};

struct perf_event_attr {
	u32 type;
	u64 config;
};

struct hw_perf_event {
	struct task_struct *target;
};

struct perf_event {
	struct perf_event_attr attr;
	struct hw_perf_event hw;
};

/* io_uring. */

struct filename___name {
	const char *name;
};

struct io_open {
	int dfd;
	struct filename___name *filename;
};

struct io_unlink {
	int dfd;
	struct filename___name *filename;
};

struct io_mkdir {
	int dfd;
	struct filename___name *filename;
};

struct io_rename {
	int old_dfd;
	int new_dfd;
	struct filename___name *oldpath;
	struct filename___name *newpath;
};

struct io_link {
	int old_dfd;
	int new_dfd;
	struct filename___name *oldpath;
	struct filename___name *newpath;
};

/* Up to 5.18, where operations that are links are two types. */
struct io_hardlink {
	int old_dfd;
	int new_dfd;
	struct filename___name *oldpath;
	struct filename___name *newpath;
};

struct io_connect {
	void *addr;
};

struct io_cqe {
	int fd;
};

struct io_kiocb {
	u8 opcode;
	unsigned int flags;
	struct file *file;
	struct io_cqe cqe;
};

struct trace_event_raw_io_uring_submit_sqe {
	u32 __data_loc_op_str;
};

#pragma clang attribute pop

enum bpf_func_id___registers {
	BPF_FUNC_task_pt_regs = 175,
};

/* Since 5.15. */
static void *(*bpf_task_pt_regs)(struct task_struct *task) = (void *)175;

enum kernel_load_data_id {
	LOADING_KEXEC_IMAGE = 3,
};

enum kernel_read_file_id {
	READING_KEXEC_IMAGE = 3,
};

#endif
