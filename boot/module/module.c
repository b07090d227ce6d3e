// SPDX-License-Identifier: GPL-2.0-only
/*
 * The two devices and the report provider of a confidential VM's kernel, in a machine that is none.
 *
 * No key is in here: each request goes to whoever holds /dev/cvmproof-backend open, and on to the simulator outside
 * of the virtual machine, as it goes to the secure processor outside of a real guest.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/string.h>

#include "backend.h"
#include "provider.h"

static char *tee = "";
module_param(tee, charp, 0444);
MODULE_PARM_DESC(tee, "snp: /dev/sev-guest and provider sev_guest; tdx: /dev/tdx_guest and provider tdx_guest");

static bool is_snp;

static int __init simulated_init(void)
{
	int error;

	is_snp = !strcmp(tee, "snp");
	if (!is_snp && strcmp(tee, "tdx")) {
		pr_err("tee: expected snp or tdx, got \"%.16s\"\n", tee);
		return -EINVAL;
	}
	error = backend_register();
	if (error)
		return error;
	error = is_snp ? snp_register() : tdx_register();
	if (error)
		backend_unregister();
	else
		pr_info("SIMULATED %s device; only --trust simulated accepts what it signs\n", tee);
	return error;
}

static void __exit simulated_exit(void)
{
	if (is_snp)
		snp_unregister();
	else
		tdx_unregister();
	backend_unregister();
}

module_init(simulated_init);
module_exit(simulated_exit);
MODULE_DESCRIPTION("SIMULATED SEV-SNP and TDX guest devices of cvmproof");
MODULE_AUTHOR("The cvmproof authors");
MODULE_LICENSE("GPL");
