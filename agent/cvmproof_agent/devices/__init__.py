"""What Linux offers to a confidential guest, each behind `cvmproof_agent.device.Device`.

    configfs_tsm        reports and quotes through configfs, Linux 6.7 and newer; preferred
    snp.sev_guest       SNP reports through /dev/sev-guest, Linux 5.19 and newer
    tdx.tdx_guest       TDREPORTs through /dev/tdx_guest, quotes from the host's quote generation service
    probing             which of them this guest has, and why the others can't be used

The paths are constants of their modules: neither environment nor configuration nor command line can name others. A
guest loads the modules of its own technology, and those it asks before it knows.
"""
