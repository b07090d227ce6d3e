// SPDX-License-Identifier: GPL-2.0-only
/* /dev/sev-guest (Linux include/uapi/linux/sev-guest.h) and reports (Linux Documentation/ABI/testing/configfs-tsm-report). */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <uapi/linux/sev-guest.h>

#include "backend.h"
#include "provider.h"

#define CERTIFICATES_MAX SZ_16K /* SEV_FW_BLOB_MAX_SIZE of the real driver */
#define RESPONSE_HEAD 32 /* bytes before the report */
#define NO_FIRMWARE_CALL 0xff
#define INVALID_PARAMETER 0x16 /* AMD 56860, status codes */
#define INVALID_KEY 0x27

static unsigned int vmpl;
module_param(vmpl, uint, 0444);
MODULE_PARM_DESC(vmpl, "the level that this kernel is at: lowest one that reports can be asked for");

/* Firmware refused once: the real driver gives up its key then, so as to never use an IV again. */
static bool is_key_lost;

struct outcome {
	u64 exitinfo2;
	u32 pages; /* what the host needs for its certificates, where it says INVALID_LEN */
	struct answer *answer;
};

static u32 report_size_of(const struct answer *answer)
{
	return le32_to_cpu(answer->head.size) - le32_to_cpu(answer->head.certificates_size);
}

/* Does with what host and firmware said as snp_send_guest_request() and its callers do. */
static int judge(struct answer *answer, u32 pages, struct outcome *outcome)
{
	outcome->exitinfo2 = le64_to_cpu(answer->head.exitinfo2);
	if (outcome->exitinfo2) {
		u32 vmm = outcome->exitinfo2 >> SNP_GUEST_VMM_ERR_SHIFT;

		/* The real driver asks again every two seconds, for up to a minute. */
		if (vmm == SNP_GUEST_VMM_ERR_BUSY)
			return -ETIMEDOUT;
		if (vmm == SNP_GUEST_VMM_ERR_INVALID_LEN)
			outcome->pages = le32_to_cpu(answer->head.certificate_pages);
		else
			is_key_lost = true;
		return -EIO;
	}
	if (report_size_of(answer) > sizeof(struct snp_report_resp) || report_size_of(answer) < RESPONSE_HEAD)
		return -EIO;
	return le32_to_cpu(answer->head.certificates_size) > pages * PAGE_SIZE ? -EIO : 0;
}

static int request_report(u32 kind, const struct snp_report_req *req, u32 pages, struct outcome *outcome)
{
	struct cvmproof_snp_question question = { .certificate_pages = cpu_to_le32(pages) };
	struct answer *answer;
	int error;

	BUILD_BUG_ON(sizeof(question.report_request) != sizeof(*req));
	outcome->exitinfo2 = NO_FIRMWARE_CALL;
	outcome->pages = 0;
	outcome->answer = NULL;
	if (is_key_lost)
		return -ENOTTY;
	memcpy(question.report_request, req, sizeof(*req));
	answer = ask_backend(kind, &question, sizeof(question));
	if (IS_ERR(answer))
		return PTR_ERR(answer);
	error = judge(answer, pages, outcome);
	if (error)
		kvfree(answer);
	else
		outcome->answer = answer;
	return error;
}

static int give_response(u64 address, const struct answer *answer)
{
	struct snp_report_resp *response = kzalloc(sizeof(*response), GFP_KERNEL);
	int error = 0;

	if (!response)
		return -ENOMEM;
	memcpy(response->data, answer->payload, report_size_of(answer));
	if (copy_to_user(u64_to_user_ptr(address), response, sizeof(*response)))
		error = -EFAULT;
	kfree(response);
	return error;
}

static int get_report(struct snp_guest_request_ioctl *io)
{
	struct snp_report_req req;
	struct outcome outcome;
	int error;

	if (!io->req_data || !io->resp_data)
		return -EINVAL;
	if (copy_from_user(&req, u64_to_user_ptr(io->req_data), sizeof(req)))
		return -EFAULT;
	error = request_report(CVMPROOF_SNP_REPORT, &req, 0, &outcome);
	io->exitinfo2 = outcome.exitinfo2;
	if (error)
		return error;
	error = give_response(io->resp_data, outcome.answer);
	kvfree(outcome.answer);
	return error;
}

static int give_certificates(const struct snp_ext_report_req *req, u32 pages, const struct answer *answer)
{
	size_t size = pages * PAGE_SIZE;
	u8 *certificates;
	int error = 0;

	if (!pages)
		return 0;
	certificates = kvzalloc(size, GFP_KERNEL);
	if (!certificates)
		return -ENOMEM;
	memcpy(certificates, answer->payload + report_size_of(answer), le32_to_cpu(answer->head.certificates_size));
	if (copy_to_user(u64_to_user_ptr(req->certs_address), certificates, size))
		error = -EFAULT;
	kvfree(certificates);
	return error;
}

static int get_ext_report(struct snp_guest_request_ioctl *io)
{
	struct snp_ext_report_req req;
	struct outcome outcome;
	u32 pages = 0;
	int error;

	if (!io->req_data || !io->resp_data)
		return -EINVAL;
	if (copy_from_user(&req, u64_to_user_ptr(io->req_data), sizeof(req)))
		return -EFAULT;
	if (req.certs_len && req.certs_address) {
		if (req.certs_len > CERTIFICATES_MAX || !IS_ALIGNED(req.certs_len, PAGE_SIZE))
			return -EINVAL;
		pages = req.certs_len >> PAGE_SHIFT;
	}
	error = request_report(CVMPROOF_SNP_EXTENDED_REPORT, &req.data, pages, &outcome);
	io->exitinfo2 = outcome.exitinfo2;
	if (error && outcome.pages) {
		req.certs_len = outcome.pages << PAGE_SHIFT;
		if (copy_to_user(u64_to_user_ptr(io->req_data), &req, sizeof(req)))
			error = -EFAULT;
	}
	if (error)
		return error;
	error = give_certificates(&req, pages, outcome.answer);
	if (!error)
		error = give_response(io->resp_data, outcome.answer);
	kvfree(outcome.answer);
	return error;
}

static long snp_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct snp_guest_request_ioctl __user *user = (void __user *)argument;
	struct snp_guest_request_ioctl io;
	int error;

	if (copy_from_user(&io, user, sizeof(io)))
		return -EFAULT;
	io.exitinfo2 = NO_FIRMWARE_CALL;
	if (!io.msg_version)
		return -EINVAL;
	switch (command) {
	case SNP_GET_REPORT:
		error = get_report(&io);
		break;
	case SNP_GET_EXT_REPORT:
		error = get_ext_report(&io);
		break;
	default:
		/* The real driver says ENOTTY to others, and has SNP_GET_DERIVED_KEY, which is not simulated. */
		return command == SNP_GET_DERIVED_KEY ? -EOPNOTSUPP : -ENOTTY;
	}
	if (io.exitinfo2 && copy_to_user(user, &io, sizeof(io)))
		return -EFAULT;
	return error;
}

/* MSG_REPORT_RSP, AMD 56860: what stands before the report. */
struct response_head {
	__le32 status;
	__le32 report_size;
	u8 reserved[24];
};

static int keep_report(struct tsm_report *report, const struct answer *answer)
{
	const struct response_head *head = (void *)answer->payload;
	u32 status = le32_to_cpu(head->status), size = le32_to_cpu(head->report_size);
	u32 certificates_size = le32_to_cpu(answer->head.certificates_size);

	BUILD_BUG_ON(sizeof(*head) != RESPONSE_HEAD);
	if (status)
		return status == INVALID_PARAMETER || status == INVALID_KEY ? -EINVAL : -ENXIO;
	if (size > report_size_of(answer) - RESPONSE_HEAD)
		return -EIO;
	report->outblob = kvmemdup(answer->payload + RESPONSE_HEAD, size, GFP_KERNEL);
	if (!report->outblob)
		return -ENOMEM;
	report->outblob_len = size;
	if (!certificates_size)
		return 0;
	/* Without its certificates the report is still one; the real driver goes on as well. */
	report->auxblob = kvmemdup(answer->payload + report_size_of(answer), certificates_size, GFP_KERNEL);
	if (report->auxblob)
		report->auxblob_len = certificates_size;
	return 0;
}

static int new_report(struct tsm_report *report, void *data)
{
	struct snp_report_req req = { .vmpl = report->desc.privlevel };
	struct outcome outcome;
	int error;

	if (report->desc.inblob_len != SNP_REPORT_USER_DATA_SIZE)
		return -EINVAL;
	memcpy(req.user_data, report->desc.inblob, sizeof(req.user_data));
	error = request_report(CVMPROOF_SNP_EXTENDED_REPORT, &req, CERTIFICATES_MAX >> PAGE_SHIFT, &outcome);
	if (error)
		return error;
	error = keep_report(report, outcome.answer);
	kvfree(outcome.answer);
	return error;
}

/* Services of an SVSM are for kernels that one runs below; this one is at a level of its own. */
static bool is_visible(int attribute)
{
	switch (attribute) {
	case TSM_REPORT_GENERATION:
	case TSM_REPORT_PROVIDER:
	case TSM_REPORT_PRIVLEVEL:
	case TSM_REPORT_PRIVLEVEL_FLOOR:
		return true;
	}
	return false;
}

static bool is_blob_visible(int attribute)
{
	return attribute == TSM_REPORT_INBLOB || attribute == TSM_REPORT_OUTBLOB || attribute == TSM_REPORT_AUXBLOB;
}

static struct tsm_ops reports = {
	.name = "sev_guest",
	.report_new = new_report,
	.report_attr_visible = is_visible,
	.report_bin_attr_visible = is_blob_visible,
};

static const struct file_operations snp_operations = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = snp_ioctl,
};

static struct miscdevice snp_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "sev-guest",
	.fops = &snp_operations,
};

int snp_register(void)
{
	int error = misc_register(&snp_device);

	if (error)
		return error;
	reports.privlevel_floor = vmpl;
	error = tsm_register(&reports, NULL);
	if (error)
		misc_deregister(&snp_device);
	return error;
}

void snp_unregister(void)
{
	tsm_unregister(&reports);
	misc_deregister(&snp_device);
}
