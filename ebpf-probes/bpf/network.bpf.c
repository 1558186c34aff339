/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Acts on sockets, and the domain name system. */
#include "call.h"
