/* SPDX-License-Identifier: GPL-2.0-only */
/* A question handed to whoever holds /dev/cvmproof-backend open, and the answer that came back. */
#ifndef CVMPROOF_BACKEND_H
#define CVMPROOF_BACKEND_H

#include <linux/types.h>

#include "frames.h"

struct answer {
	struct cvmproof_answer_head head;
	u8 payload[];
};

/*
 * One question at a time, as the real drivers have it. Gives an answer to be kvfree()d, whose payload is head.size
 * bytes, or an ERR_PTR: ENXIO without a backend, EIO where it went away meanwhile, ETIMEDOUT, EINTR, ENOMEM.
 * An answer that says so itself (head.error) is given back as that error.
 */
struct answer *ask_backend(u32 kind, const void *payload, size_t size);

int backend_register(void);
void backend_unregister(void);

#endif
