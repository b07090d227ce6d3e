"""What to do about a no: one sentence for a check or a category, the only place that says so."""

from typing import Final

_AGAIN: Final = "get the evidence again; if it stays so, somebody changed it on the way"
_BOOTED: Final = "new firmware, kernel or command line on purpose? cvmproof policy from-evidence --help"
_FETCH: Final = "cvmproof collateral fetch --evidence FILE"
_CURRENT_LIST: Final = "get a current list: cvmproof collateral fetch, or import one"
_LAUNCHED: Final = "launch the TD with a value that the policy names, or name this one"
_QUOTING_ENCLAVE: Final = "the host must make quotes with Intel's own quoting enclave, as Intel sets it up"
_MODULE: Final = "the host must load a TDX module of Intel's, as it is"
_SIMULATED: Final = "simulated evidence is for tests: --trust simulated, never in production"

_BY_CHECK: Final = {
    "policy.tee": "a policy says something about SNP in [snp] and about TDX in [tdx]: cvmproof policy new --help",
    "snp.measurement": "new image on purpose? cvmproof policy from-evidence --help",
    "snp.product": "Milan only with a pinned chip: cvmproof policy new --help, --pin-chip",
    "snp.chip_id": "known machine? add its chip_id to chip_ids in the policy",
    "snp.chip_id.masked": "ask the provider for an unmasked CHIP_ID, or take VLEK with csp_ids",
    "snp.csp_id": "name the provider in csp_ids as its certificate does: cvmproof inspect",
    "snp.signing_key": 'take VLEK too? signing_keys = ["VCEK", "VLEK"], together with csp_ids',
    "snp.report.version": "newer platform firmware writes newer reports: ask whoever runs the host",
    "snp.vmpl": "ask for the report from the privilege level that the policy names",
    "snp.firmware.committed": "firmware update under way? the host must commit it (SNP_COMMIT)",
    "snp.signature.key": "the host must unmask the chip key (MASK_CHIP_KEY) and the guest ask again",
    "snp.signature.report": _AGAIN,
    "snp.report.guest_requested": "let the guest itself ask for the report",
    "snp.vek.tcb": "get the certificate for this TCB: cvmproof collateral fetch --evidence FILE",
    "snp.vek.chip_id": "get this chip's certificate: cvmproof collateral fetch --evidence FILE",
    "snp.vek.kind": "give the certificate of the key that signed: cvmproof inspect shows which",
    "snp.chain.trust_set": _SIMULATED,
    "snp.chain.validity": "look at the clock, or get current certificates: cvmproof collateral fetch",
    "snp.crl.current": _CURRENT_LIST,
    "snp.crl.signature": "remove the list and get AMD's: cvmproof collateral fetch",
    "tdx.chain.trust_set": _SIMULATED,
    "tdx.chain.validity": "look at the clock; if it is right, the host needs a new PCK certificate for its quotes",
    "tdx.crl.revoked": "use another machine: no policy accepts a revoked certificate",
    "tdx.fmspc": "take this kind of platform too? add its FMSPC to fmspcs in the policy",
    "tdx.module.attributes": _MODULE,
    "tdx.module.identity": f"a module that is newer than the collateral? {_FETCH}",
    "tdx.module.signer": _MODULE,
    "tdx.module.svn": "the host must load a newer TDX module, and the guest be launched again",
    "tdx.mr_config_id": _LAUNCHED,
    "tdx.mr_owner": _LAUNCHED,
    "tdx.mr_owner_config": _LAUNCHED,
    "tdx.mr_seam": "a new TDX module on the host? add its MRSEAM to mr_seams, or ask for minimum_module_svns instead",
    "tdx.mr_service_td": "is the service TD known to you? then add its value to mr_service_tds",
    "tdx.mr_td": "new image on purpose? cvmproof policy from-evidence --help",
    "tdx.pck_crl.current": _CURRENT_LIST,
    "tdx.pck_crl.signature": "remove the list and get Intel's: cvmproof collateral fetch",
    "tdx.platform_instance_id": "known machine, or set up anew? add its id to platform_instance_ids in the policy",
    "tdx.ppid": "known machine? add its PPID to ppids in the policy",
    "tdx.ppid.denied": "use another machine, or take it out of denied_ppids",
    "tdx.qe.attributes": _QUOTING_ENCLAVE,
    "tdx.qe.binding": _AGAIN,
    "tdx.qe.debug": "the host must run its quoting enclave without debugging",
    "tdx.qe.miscselect": _QUOTING_ENCLAVE,
    "tdx.qe.mrsigner": _QUOTING_ENCLAVE,
    "tdx.qe.product": _QUOTING_ENCLAVE,
    "tdx.qe.signature": _AGAIN,
    "tdx.qe.svn": "the host must update its quoting enclave",
    "tdx.qe_identity.form": f"remove it and get Intel's: {_FETCH}",
    "tdx.qe_identity.signature": f"remove it and get Intel's: {_FETCH}",
    "tdx.root_crl.current": _CURRENT_LIST,
    "tdx.root_crl.signature": "remove the list and get Intel's: cvmproof collateral fetch",
    "tdx.rtmr0": _BOOTED,
    "tdx.rtmr1": _BOOTED,
    "tdx.rtmr2": _BOOTED,
    "tdx.rtmr3": "the software in the guest extends it: did it start what it should? then name the value in rtmr3",
    "tdx.signature.quote": _AGAIN,
    "tdx.signer.validity": f"look at the clock, or get the current certificate: {_FETCH}",
    "tdx.tcb.advisories": "read the advisory, and have the platform updated",
    "tdx.tcb.status": "have the platform updated or set up as its advisories say, or name the status in tcb_statuses",
    "tdx.tcb_info.form": f"remove it and get Intel's: {_FETCH}",
    "tdx.tcb_info.signature": f"remove it and get Intel's: {_FETCH}",
    "binding.domain": "evidence of a TLS session can't be appraised from a file: ask for nonce evidence",
    "binding.labels": "whoever answers does not follow the protocol it was asked on: is it cvmproof-agent?",
    "binding.leaf": "cvmproof-agent makes no such certificate: find out who answers there",
    "binding.report_data": "somebody may stand in between: send nothing there, and find out who",
    "freshness.nonce": "connect again; if it stays so, somebody replays old evidence",
}

_BY_CATEGORY: Final = {
    "UNAVAILABLE": f"{_FETCH}, or import it, or give it with --certs",
    "EXPIRED": f"get current collateral: {_FETCH}",
    "ROLLBACK": f"get current collateral: {_FETCH}; if it stays so, somebody hands out what is out of date",
    "CHAIN": f"these are not AMD's or Intel's certificates: {_FETCH}; a quote must bring those of its own platform",
    "COLLATERAL_MISMATCH": f"the collateral belongs to another machine: {_FETCH}",
    "REVOKED": "use another machine: no policy accepts a revoked certificate",
    "TCB": "have the platform's firmware and microcode updated, then launch the guest again",
    "DEBUG": "launch the guest without debugging (SNP: POLICY bit 19; TDX: ATTRIBUTES bits 0 to 7)",
    "PLATFORM": "change the platform's settings, or use another machine",
    "POLICY_MISMATCH": "launch the guest as the policy says, or change the policy",
    "IDENTITY": "is it the machine, provider or launch you meant? then name it in the policy",
    "FRESHNESS": "ask for new evidence with a nonce of your own",
    "BINDING": "ask for new evidence with a nonce of your own",
    "INTERNAL": "a bug of cvmproof: please report it with this result",
}


def next_step(check_id: str, category: str) -> str:
    """Say what to do about a check that did not pass; "" where there is nothing to say."""
    if category == "UNAVAILABLE":
        return _BY_CATEGORY[category]
    return _BY_CHECK.get(check_id) or _BY_CATEGORY.get(category, "")
