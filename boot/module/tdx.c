// SPDX-License-Identifier: GPL-2.0-only
/* /dev/tdx_guest (Linux include/uapi/linux/tdx-guest.h) and quotes (Linux Documentation/ABI/testing/configfs-tsm-report). */
#include <linux/cleanup.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <uapi/linux/tdx-guest.h>

#include "backend.h"
#include "provider.h"

static struct answer *tdx_report(const u8 *reportdata)
{
	struct answer *answer = ask_backend(CVMPROOF_TDREPORT, reportdata, TDX_REPORTDATA_LEN);

	if (!IS_ERR(answer) && le32_to_cpu(answer->head.size) != TDX_REPORT_LEN) {
		kvfree(answer);
		return ERR_PTR(-EIO);
	}
	return answer;
}

static long get_report0(struct tdx_report_req __user *user)
{
	u8 reportdata[TDX_REPORTDATA_LEN];
	struct answer *answer;
	long error = 0;

	if (copy_from_user(reportdata, user->reportdata, sizeof(reportdata)))
		return -EFAULT;
	answer = tdx_report(reportdata);
	if (IS_ERR(answer))
		return PTR_ERR(answer);
	if (copy_to_user(user->tdreport, answer->payload, TDX_REPORT_LEN))
		error = -EFAULT;
	kvfree(answer);
	return error;
}

static long tdx_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	if (command != TDX_CMD_GET_REPORT0)
		return -ENOTTY;
	return get_report0((struct tdx_report_req __user *)argument);
}

static int new_quote(struct tsm_report *report, void *data)
{
	struct answer *tdreport, *quote;
	size_t size;

	if (report->desc.inblob_len != TDX_REPORTDATA_LEN)
		return -EINVAL;
	tdreport = tdx_report(report->desc.inblob);
	if (IS_ERR(tdreport))
		return PTR_ERR(tdreport);
	quote = ask_backend(CVMPROOF_QUOTE, tdreport->payload, TDX_REPORT_LEN);
	kvfree(tdreport);
	if (IS_ERR(quote))
		return PTR_ERR(quote);
	size = le32_to_cpu(quote->head.size);
	report->outblob = kvmemdup(quote->payload, size, GFP_KERNEL);
	kvfree(quote);
	if (!report->outblob)
		return -ENOMEM;
	report->outblob_len = size;
	return 0;
}

static bool is_visible(int attribute)
{
	return attribute == TSM_REPORT_GENERATION || attribute == TSM_REPORT_PROVIDER;
}

static bool is_blob_visible(int attribute)
{
	return attribute == TSM_REPORT_INBLOB || attribute == TSM_REPORT_OUTBLOB;
}

static const struct tsm_ops quotes = {
	.name = "tdx_guest",
	.report_new = new_quote,
	.report_attr_visible = is_visible,
	.report_bin_attr_visible = is_blob_visible,
};

static const struct file_operations tdx_operations = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = tdx_ioctl,
};

static struct miscdevice tdx_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "tdx_guest",
	.fops = &tdx_operations,
};

int tdx_register(void)
{
	int error = misc_register(&tdx_device);

	if (error)
		return error;
	error = tsm_register(&quotes, NULL);
	if (error)
		misc_deregister(&tdx_device);
	return error;
}

void tdx_unregister(void)
{
	tsm_unregister(&quotes);
	misc_deregister(&tdx_device);
}
