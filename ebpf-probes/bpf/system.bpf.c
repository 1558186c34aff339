/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Acts on processes, on the kernel, and on memory. */
#include "call.h"
