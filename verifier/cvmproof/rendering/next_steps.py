"""What to do about a no: one sentence for a check or a category, the only place that says so."""

from typing import Final

_BY_CHECK: Final = {
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
    "snp.signature.report": "get the evidence again; if it stays so, somebody changed it on the way",
    "snp.report.guest_requested": "let the guest itself ask for the report",
    "snp.vek.tcb": "get the certificate for this TCB: cvmproof collateral fetch --evidence FILE",
    "snp.vek.chip_id": "get this chip's certificate: cvmproof collateral fetch --evidence FILE",
    "snp.vek.kind": "give the certificate of the key that signed: cvmproof inspect shows which",
    "snp.chain.trust_set": "simulated evidence is for tests: --trust simulated, never in production",
    "snp.chain.validity": "look at the clock, or get current certificates: cvmproof collateral fetch",
    "snp.crl.current": "get a current list: cvmproof collateral fetch, or import one",
    "snp.crl.signature": "remove the list and get AMD's: cvmproof collateral fetch",
    "binding.domain": "evidence of a TLS session can't be appraised from a file: ask for nonce evidence",
    "binding.labels": "whoever answers does not follow the protocol it was asked on: is it cvmproof-agent?",
    "binding.leaf": "cvmproof-agent makes no such certificate: find out who answers there",
    "binding.report_data": "somebody may stand in between: send nothing there, and find out who",
    "freshness.nonce": "connect again; if it stays so, somebody replays old evidence",
}

_BY_CATEGORY: Final = {
    "UNAVAILABLE": "cvmproof collateral fetch --evidence FILE, or import it, or give it with --certs",
    "EXPIRED": "get current collateral: cvmproof collateral fetch --evidence FILE",
    "CHAIN": "these are not AMD's certificates: get them from AMD, cvmproof collateral fetch --evidence FILE",
    "COLLATERAL_MISMATCH": "the certificates belong to another machine: cvmproof collateral fetch --evidence FILE",
    "REVOKED": "use another machine: no policy accepts a revoked certificate",
    "TCB": "update the platform's firmware and microcode, then launch the guest again",
    "DEBUG": "launch the guest without debugging (POLICY bit 19)",
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
