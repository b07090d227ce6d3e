import json
from pathlib import Path

import pytest

from cvmproof.collateral.intel_keys import IntelKey, Update, wanted_for_platform
from cvmproof.collateral.wanting import wanted_for_evidence
from cvmproof_formats.binding import Tee
from cvmproof_formats.errors import Malformed
from cvmproof_formats.evidence import Evidence
from cvmproof_formats.tdx.hierarchy import SGX_EXTENSIONS, Ca
from cvmproof_simulator.tdx.platform import SoftwarePlatform, chain
from cvmproof_simulator.tdx.td import SoftwareTd


def evidence(data: bytes) -> Evidence:
    return Evidence(tee=Tee.TDX, report=data)


@pytest.mark.parametrize("version", [4, 5])
def test_a_quote_wants_what_its_pck_certificate_names(version: int, intels: tuple[IntelKey, ...]) -> None:
    data = SoftwareTd().quote(bytes(64), version=version)
    assert wanted_for_evidence(evidence(data)) == intels
    assert wanted_for_evidence(evidence(data + bytes(100))) == intels  # padding of a buffer


@pytest.mark.parametrize("ca", Ca)
@pytest.mark.parametrize("issue", [Update.STANDARD, Update.EARLY, 18])
def test_authority_platform_and_channel_are_told_apart(ca: Ca, issue: Update | int) -> None:
    platform = SoftwarePlatform(ca=ca, fmspc=bytes(5) + b"\1")
    data = SoftwareTd(platform=platform).quote(bytes(64))
    wanted = wanted_for_platform(fmspc=platform.fmspc, ca=ca, issue=issue)
    assert wanted_for_evidence(evidence(data), issue) == wanted


def test_a_quote_whose_pck_certificate_names_nothing_wants_nothing() -> None:
    td = SoftwareTd()
    stray = td.platform.pck_chain(drop=(SGX_EXTENSIONS,))
    assert wanted_for_evidence(evidence(td.quote(bytes(64), pck_chain=stray))) == ()


def test_a_quote_without_a_whole_chain_is_malformed() -> None:
    td = SoftwareTd()
    short = chain(*td.platform.certificates()[1:])
    with pytest.raises(Malformed, match="expected leaf, CA and root, got 2"):
        wanted_for_evidence(evidence(td.quote(bytes(64), pck_chain=short)))


@pytest.mark.parametrize("data", [b"", b"x" * 700, SoftwareTd().quote(bytes(64))[:-1], bytes(70_000)])
def test_ac_116_what_is_no_quote_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        wanted_for_evidence(evidence(data))


def test_a_recorded_quote_wants_its_rows_tcb_info(recorded: Path) -> None:
    lines = (recorded / "tdx" / "cases.jsonl").read_text(encoding="utf-8").splitlines()
    named = {row["quote"]: row for row in map(json.loads, lines) if "decode" not in row["dcap_qvl"]}
    assert len(named) > 50
    for quote, row in named.items():
        fmspc = bytes.fromhex(Path(row["tcb"]).name.split("_")[0])
        wanted = wanted_for_evidence(evidence((recorded / "tdx" / quote).read_bytes()))
        assert wanted == wanted_for_platform(fmspc=fmspc, ca=Ca(row["pck_ca"]))
