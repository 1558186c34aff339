/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * All programs as one object, so that they share their maps. User space loads and attaches
 * each program by itself.
 *
 * Defender is under Apache-2.0. The files of this folder may be used under MIT or GPL-2.0 instead, because
 * the kernel offers most of its helpers to programs with a GPL-compatible license alone, and checks this string.
 */
#include "exec.bpf.c"
#include "process.bpf.c"
#include "process_list.bpf.c"
#include "cgroup.bpf.c"
#include "call.bpf.c"
#include "file_open.bpf.c"
#include "file_path.bpf.c"
#include "file_attribute.bpf.c"
#include "file_mount.bpf.c"
#include "file_call.bpf.c"
#include "file_ring.bpf.c"
#include "file_open_return.bpf.c"
#include "network.bpf.c"
#include "network_tcp.bpf.c"
#include "dns.bpf.c"
#include "system.bpf.c"
#include "call_returns.bpf.c"

char program_license[] SEC("license") = "Dual MIT/GPL";
