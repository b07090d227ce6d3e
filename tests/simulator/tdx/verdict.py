"""Somebody else's verdict on what the simulator makes: dcap-qvl's, under the simulated root."""

from datetime import datetime

import dcap_qvl  # type: ignore[import-untyped]  # it brings no types

from cvmproof_formats.tdx.signed_json import read_signed
from cvmproof_simulator.tdx.collateral import Collateral


def verdict(quote: bytes, collateral: Collateral, now: datetime) -> tuple[str, list[str]]:
    """Status and advisories; raises ValueError where dcap-qvl refuses."""
    info = read_signed(collateral.tcb_info_response, "tcbInfo")
    identity = read_signed(collateral.qe_identity_response, "enclaveIdentity")
    chain = collateral.signing_chain.decode()
    given = dcap_qvl.QuoteCollateralV3(
        collateral.pck_crl_chain.decode(),
        collateral.root_crl,
        collateral.pck_crl,
        chain,
        info.body.decode(),
        info.signature,
        chain,
        identity.body.decode(),
        identity.signature,
    )
    report = dcap_qvl.verify_with_root_ca(quote, given, collateral.authorities.root, int(now.timestamp()))
    return report.status, report.advisory_ids
