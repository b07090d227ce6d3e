// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/cvmproof-backend: whoever holds it open answers for the SIMULATED secure processor.
 *
 * read() gives one whole request, write() takes answers in pieces of any size. An answer to a question that nobody
 * waits for any more is dropped by its sequence number; anything else out of order ends the session with EPROTO,
 * because after that no byte of the stream can be told from another.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "backend.h"

#define ANSWER_MAX (sizeof(struct cvmproof_answer_head) + CVMPROOF_ANSWER_MAX)
#define REQUEST_MAX (sizeof(struct cvmproof_request_head) + CVMPROOF_REQUEST_MAX)

static unsigned int timeout_ms = 30000;
module_param(timeout_ms, uint, 0644);
MODULE_PARM_DESC(timeout_ms, "how long a caller waits for an answer, in milliseconds");

enum phase { IDLE, POSED, TAKEN, ANSWERED, LOST };

static DEFINE_MUTEX(calls); /* callers queue here */
static DEFINE_MUTEX(lock);  /* everything below */
static DECLARE_WAIT_QUEUE_HEAD(posed);
static DECLARE_WAIT_QUEUE_HEAD(settled);
static bool is_open, is_broken;
static enum phase phase;
static u64 sequence;
static u32 asked_kind;
static u8 request[REQUEST_MAX];
static size_t request_size;
static u8 *incoming; /* ANSWER_MAX bytes, while open */
static size_t received;

static int pose(u32 kind, const void *payload, size_t size)
{
	struct cvmproof_request_head head = {
		.magic = cpu_to_le32(CVMPROOF_REQUEST_MAGIC),
		.kind = cpu_to_le32(kind),
		.size = cpu_to_le32(size),
	};

	if (WARN_ON(size > CVMPROOF_REQUEST_MAX))
		return -EMSGSIZE;
	mutex_lock(&lock);
	if (!is_open || is_broken) {
		mutex_unlock(&lock);
		return -ENXIO;
	}
	head.sequence = cpu_to_le64(++sequence);
	memcpy(request, &head, sizeof(head));
	memcpy(request + sizeof(head), payload, size);
	request_size = sizeof(head) + size;
	asked_kind = kind;
	phase = POSED;
	mutex_unlock(&lock);
	wake_up(&posed);
	return 0;
}

static bool is_settled(void)
{
	enum phase now = READ_ONCE(phase);

	return now == ANSWERED || now == LOST;
}

static struct answer *take_answer(long waited)
{
	struct answer *answer;

	mutex_lock(&lock);
	if (phase == ANSWERED) {
		answer = kvmalloc(received, GFP_KERNEL);
		if (answer)
			memcpy(answer, incoming, received);
		else
			answer = ERR_PTR(-ENOMEM);
		received = 0;
	} else if (phase == LOST) {
		answer = ERR_PTR(-EIO);
	} else {
		answer = ERR_PTR(waited < 0 ? -EINTR : -ETIMEDOUT);
	}
	phase = IDLE;
	mutex_unlock(&lock);
	return answer;
}

static struct answer *ask(u32 kind, const void *payload, size_t size)
{
	struct answer *answer;
	long waited;
	int error;

	error = pose(kind, payload, size);
	if (error)
		return ERR_PTR(error);
	waited = wait_event_killable_timeout(settled, is_settled(), msecs_to_jiffies(READ_ONCE(timeout_ms)));
	answer = take_answer(waited);
	if (IS_ERR(answer))
		return answer;
	error = le32_to_cpu(answer->head.error);
	if (error) {
		kvfree(answer);
		return ERR_PTR(-error);
	}
	return answer;
}

struct answer *ask_backend(u32 kind, const void *payload, size_t size)
{
	struct answer *answer;

	if (mutex_lock_killable(&calls))
		return ERR_PTR(-EINTR);
	answer = ask(kind, payload, size);
	mutex_unlock(&calls);
	return answer;
}

static int backend_open(struct inode *inode, struct file *file)
{
	int error = 0;

	mutex_lock(&lock);
	if (is_open) {
		error = -EBUSY;
	} else {
		incoming = kvmalloc(ANSWER_MAX, GFP_KERNEL);
		if (incoming) {
			is_open = true;
			is_broken = false;
			received = 0;
		} else {
			error = -ENOMEM;
		}
	}
	mutex_unlock(&lock);
	return error ? error : stream_open(inode, file);
}

static void lose(void)
{
	if (phase == POSED || phase == TAKEN)
		phase = LOST;
	wake_up(&settled);
}

static int backend_release(struct inode *inode, struct file *file)
{
	mutex_lock(&lock);
	/* An answer that is complete but not yet taken goes with the buffer that it lies in. */
	if (phase == ANSWERED)
		phase = LOST;
	lose();
	is_open = false;
	kvfree(incoming);
	incoming = NULL;
	mutex_unlock(&lock);
	return 0;
}

static ssize_t backend_read(struct file *file, char __user *buffer, size_t count, loff_t *offset)
{
	ssize_t result;

	if (file->f_flags & O_NONBLOCK) {
		if (READ_ONCE(phase) != POSED)
			return -EAGAIN;
	} else if (wait_event_interruptible(posed, READ_ONCE(phase) == POSED || READ_ONCE(is_broken))) {
		return -ERESTARTSYS;
	}
	mutex_lock(&lock);
	if (is_broken) {
		result = -EPROTO;
	} else if (phase != POSED) {
		result = -EAGAIN; /* whoever asked has given up meanwhile */
	} else if (count < request_size) {
		result = -EMSGSIZE;
	} else if (copy_to_user(buffer, request, request_size)) {
		result = -EFAULT;
	} else {
		phase = TAKEN;
		result = request_size;
	}
	mutex_unlock(&lock);
	return result;
}

/* The head is complete: how many bytes the whole answer has, or an error. */
static ssize_t expected_size(void)
{
	const struct cvmproof_answer_head *head = (void *)incoming;
	u32 size = le32_to_cpu(head->size);

	if (le32_to_cpu(head->magic) != CVMPROOF_ANSWER_MAGIC || size > CVMPROOF_ANSWER_MAX)
		return -EPROTO;
	if (le32_to_cpu(head->error) > MAX_ERRNO || le32_to_cpu(head->certificates_size) > size)
		return -EPROTO;
	if (le64_to_cpu(head->sequence) > sequence)
		return -EPROTO;
	return sizeof(*head) + size;
}

static int deliver(void)
{
	const struct cvmproof_answer_head *head = (void *)incoming;

	if (le64_to_cpu(head->sequence) != sequence || phase != TAKEN) {
		received = 0;
		return 0;
	}
	if (le32_to_cpu(head->kind) != asked_kind)
		return -EPROTO;
	phase = ANSWERED;
	wake_up(&settled);
	return 0;
}

/* Take bytes up to the end of the head or of the answer; gives how many, or an error. */
static ssize_t take_piece(const char __user *buffer, size_t count)
{
	ssize_t whole = sizeof(struct cvmproof_answer_head);
	size_t piece;

	if (received >= sizeof(struct cvmproof_answer_head))
		whole = expected_size();
	if (whole < 0)
		return whole;
	piece = min_t(size_t, count, whole - received);
	if (copy_from_user(incoming + received, buffer, piece))
		return -EFAULT;
	received += piece;
	if (received < sizeof(struct cvmproof_answer_head))
		return piece;
	whole = expected_size();
	if (whole < 0)
		return whole;
	if (received == whole) {
		int error = deliver();

		if (error)
			return error;
	}
	return piece;
}

static ssize_t backend_write(struct file *file, const char __user *buffer, size_t count, loff_t *offset)
{
	size_t taken = 0;
	ssize_t piece = 0;

	mutex_lock(&lock);
	if (is_broken)
		piece = -EPROTO;
	while (piece >= 0 && taken < count) {
		/* The last answer still waits for its caller, and nothing can be due before that one asks again. */
		if (phase == ANSWERED)
			break;
		piece = take_piece(buffer + taken, count - taken);
		if (piece > 0)
			taken += piece;
	}
	if (piece == -EPROTO && !is_broken) {
		pr_warn("the backend broke the protocol after %zu bytes of an answer\n", received);
		WRITE_ONCE(is_broken, true);
		lose();
		wake_up(&posed);
	}
	mutex_unlock(&lock);
	if (taken)
		return taken;
	return piece < 0 ? piece : -EAGAIN;
}

static __poll_t backend_poll(struct file *file, poll_table *table)
{
	__poll_t events = 0;

	poll_wait(file, &posed, table);
	mutex_lock(&lock);
	if (is_broken)
		events |= EPOLLERR;
	if (phase == POSED)
		events |= EPOLLIN | EPOLLRDNORM;
	if (phase != ANSWERED)
		events |= EPOLLOUT | EPOLLWRNORM;
	mutex_unlock(&lock);
	return events;
}

static const struct file_operations backend_operations = {
	.owner = THIS_MODULE,
	.open = backend_open,
	.release = backend_release,
	.read = backend_read,
	.write = backend_write,
	.poll = backend_poll,
};

static struct miscdevice backend_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "cvmproof-backend",
	.fops = &backend_operations,
	.mode = 0600,
};

int backend_register(void)
{
	return misc_register(&backend_device);
}

void backend_unregister(void)
{
	misc_deregister(&backend_device);
}
