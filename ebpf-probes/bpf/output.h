/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The way to user space: the ring of a lane, and the count of what did not fit into it. */
#ifndef DEFENDER_OUTPUT_H
#define DEFENDER_OUTPUT_H

#include "bpf.h"
#include "record.h"

/*
 * Processes and cgroups: what all other events refer to. A ring of its own, so that a flood of
 * lesser events never pushes an exec out. User space sets the size.
 */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} process_ring SEC(".maps");

/* Acts on files, sockets and the system. User space sets the size. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} act_ring SEC(".maps");

/* How many records of each kind did not fit, per CPU, since the programs were loaded. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RECORD_KINDS);
	__type(key, u32);
	__type(value, u64);
} drops SEC(".maps");

/* How many acts of each kind were like others before them and are told in no record, per CPU, since the programs were loaded. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RECORD_KINDS);
	__type(key, u32);
	__type(value, u64);
} folded SEC(".maps");

static __always_inline void count_folded(u32 kind)
{
	u64 *count = bpf_map_lookup_elem(&folded, &kind);

	/* Whole even where an interrupt counts in between. */
	if (count)
		__sync_fetch_and_add(count, 1);
}

/* So many waiting bytes wake user space while it is awake; below them it comes by itself, on its timer. Set by user space. */
volatile const u64 wakeup_bytes = 65536;

/* 1 from when user space begins to sleep, until it is woken: it found both rings empty, and has no timer. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} asleep SEC(".maps");

static __always_inline void count_drop(u32 kind)
{
	u64 *count = bpf_map_lookup_elem(&drops, &kind);

	if (count)
		*count += 1;
}

static __always_inline void fill_header(struct record_header *header, u16 kind, u32 size)
{
	header->kind = kind;
	header->flags = 0;
	header->size = size;
	header->time = bpf_ktime_get_boot_ns();
}

static __always_inline u64 ring_wakeup(void *ring)
{
	return bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) >= wakeup_bytes ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

/*
 * After a record is in the ring, never before: user space says that it sleeps and then looks into the rings once more, so that
 * one of us sees the other. To discard a place in the ring is how the kernel lets us wake without a record.
 */
static __always_inline void wake_if_asleep(void *ring)
{
	volatile u32 *sleeps;
	u32 only = 0;
	void *place;

	sleeps = bpf_map_lookup_elem(&asleep, &only);
	if (!sleeps || !*sleeps)
		return;
	place = bpf_ringbuf_reserve(ring, sizeof(u64), 0);
	if (!place)
		return;
	*sleeps = 0;
	bpf_ringbuf_discard(place, BPF_RB_FORCE_WAKEUP);
}

/* Copies the record's `size` bytes, and no more, into the ring. */
static __always_inline void send_to(void *ring, u32 kind, void *record, u64 size)
{
	if (bpf_ringbuf_output(ring, record, size, ring_wakeup(ring)))
		count_drop(kind);
	wake_if_asleep(ring);
}

#define send(kind, record, size) send_to(&process_ring, kind, record, size)

#endif
