/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Acts on processes, on the kernel, and on memory. */
#include "system_credentials.bpf.c"
#include "system_namespaces.bpf.c"
#include "system_processes.bpf.c"
#include "system_dup.bpf.c"
#include "system_access.bpf.c"
#include "system_memory.bpf.c"
#include "system_kernel.bpf.c"
#include "system_io_uring.bpf.c"
