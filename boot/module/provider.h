/* SPDX-License-Identifier: GPL-2.0-only */
/* What either technology offers: its device, and its provider of reports in configfs. */
#ifndef CVMPROOF_PROVIDER_H
#define CVMPROOF_PROVIDER_H

#include <linux/tsm.h>
#include <linux/version.h>

/* Linux 6.16 gave everything about reports a longer name. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
#define tsm_ops tsm_report_ops
#define tsm_desc tsm_report_desc
#define tsm_register tsm_report_register
#define tsm_unregister tsm_report_unregister
#endif

int snp_register(void);
void snp_unregister(void);
int tdx_register(void);
void tdx_unregister(void);

#endif
