/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the kernel and the loader offer to programs: helpers, maps, sections, CO-RE questions. */
#ifndef DEFENDER_BPF_H
#define DEFENDER_BPF_H

#include "kernel.h"

#define SEC(name) __attribute__((section(name), used))

/* Fields of a map's definition, in the form the loader reads from BTF. */
#define __uint(name, value) int(*name)[value]
#define __type(name, value) typeof(value) *name

enum map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PROG_ARRAY = 3,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_RINGBUF = 27,
};

#define BPF_NOEXIST 1
#define EEXIST 17
#define BPF_RB_NO_WAKEUP 1
#define BPF_RB_FORCE_WAKEUP 2
#define BPF_RB_AVAIL_DATA 0

/* Numbers of include/uapi/linux/bpf.h; all of them are in 5.8, the first kernel with a ring buffer. */
static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*bpf_map_update_elem)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static long (*bpf_map_delete_elem)(void *map, const void *key) = (void *)3;
static u32 (*bpf_get_smp_processor_id)(void) = (void *)8;
static long (*bpf_tail_call)(void *context, void *programs, u32 index) = (void *)12;
static u64 (*bpf_get_current_pid_tgid)(void) = (void *)14;
static struct task_struct *(*bpf_get_current_task)(void) = (void *)35;
static long (*bpf_probe_read_user)(void *to, u32 size, const void *from) = (void *)112;
static long (*bpf_probe_read_kernel)(void *to, u32 size, const void *from) = (void *)113;
static long (*bpf_probe_read_kernel_str)(void *to, u32 size, const void *from) = (void *)115;
static long (*bpf_probe_read_user_str)(void *to, u32 size, const void *from) = (void *)114;
static u64 (*bpf_jiffies64)(void) = (void *)118;
static u64 (*bpf_ktime_get_boot_ns)(void) = (void *)125;
struct seq_file;
static long (*bpf_seq_write)(struct seq_file *to, const void *data, u32 size) = (void *)127;
static long (*bpf_ringbuf_output)(void *ring, void *data, u64 size, u64 flags) = (void *)130;
static void *(*bpf_ringbuf_reserve)(void *ring, u64 size, u64 flags) = (void *)131;
static void (*bpf_ringbuf_submit)(void *record, u64 flags) = (void *)132;
static void (*bpf_ringbuf_discard)(void *record, u64 flags) = (void *)133;
static u64 (*bpf_ringbuf_query)(void *ring, u64 what) = (void *)134;
/* Since 5.11: ask helper_exists first. */
static struct task_struct *(*bpf_get_current_task_btf)(void) = (void *)158;

/* Questions that the loader answers for the running kernel. */
#define field_exists(field) __builtin_preserve_field_info(field, 2)
#define field_offset(type, field) __builtin_preserve_field_info(((type *)0)->field, 0)
#define type_size(type) __builtin_preserve_type_info(*(type *)0, 1)
#define enum_value_exists(type, name) __builtin_preserve_enum_value(*(typeof(type) *)name, 0)
/* The kernel's list of helpers is an enum of its own (enum bpf_func_id in kernel.h). */
#define helper_exists(name) enum_value_exists(enum bpf_func_id, BPF_FUNC_##name)
#define enum_value(type, name) __builtin_preserve_enum_value(*(typeof(type) *)name, 1)

/* Reads one field behind a pointer that the verifier does not know as a kernel pointer. */
#define read_field(to, field) bpf_probe_read_kernel(&(to), sizeof(to), &(field))

/* Keeps the compiler from moving a computation on `variable` across a bounds check that the verifier must see. */
#define keep_bounds(variable) asm volatile("" : "+r"(variable))

#endif
