"""One input made of a simulated TD, everything as it should be, and how others are made from the same parts."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from tests.verifier.tdx.differential import Input

from cvmproof_formats.tdx.signed_json import read_signed
from cvmproof_simulator.tdx.collateral import Collateral
from cvmproof_simulator.tdx.platform import SoftwarePlatform
from cvmproof_simulator.tdx.td import SoftwareTd

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ISSUED = NOW - timedelta(days=10)
REPORT_DATA = bytes(range(64))
PLATFORM = SoftwarePlatform()
TD = SoftwareTd(platform=PLATFORM)
COLLATERAL = Collateral.of(PLATFORM, ISSUED)


def input_of(
    field: str, change: str, *, quote: bytes | None = None, collateral: Collateral = COLLATERAL, version: int = 4
) -> Input:
    """An input of a quote, by default a good one, and collateral."""
    return Input(
        field=field,
        change=change,
        quote=good_quote(version) if quote is None else quote,
        tcb_info=read_signed(collateral.tcb_info_response, "tcbInfo"),
        qe_identity=read_signed(collateral.qe_identity_response, "enclaveIdentity"),
        root_crl=collateral.root_crl,
        pck_crl=collateral.pck_crl,
        signing_chain=collateral.signing_chain,
        pck_crl_chain=collateral.pck_crl_chain,
        now=NOW,
        root=collateral.authorities.root,
    )


@lru_cache
def good_quote(version: int) -> bytes:
    """A quote with nothing wrong with it."""
    return TD.quote(REPORT_DATA, version=version)


@lru_cache
def good_input(version: int = 4) -> Input:
    """An input with nothing wrong with it."""
    return input_of("nothing", "nothing", version=version)
