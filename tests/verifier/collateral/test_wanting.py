import json
from pathlib import Path
from typing import Unpack

import pytest

from cvmproof.collateral.intel_keys import IntelKey, Update, wanted_for_platform
from cvmproof.collateral.keys import ChainKey, CrlKey, Wanted, wanted_for
from cvmproof.collateral.wanting import wanted_for_evidence
from cvmproof_formats.binding import Tee
from cvmproof_formats.errors import Malformed
from cvmproof_formats.evidence import Evidence
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.tdx.hierarchy import SGX_EXTENSIONS, Ca
from cvmproof_simulator.psp import ReportFields, SoftwarePsp
from cvmproof_simulator.tdx.platform import SoftwarePlatform, chain
from cvmproof_simulator.tdx.td import SoftwareTd


def evidence(data: bytes) -> Evidence:
    return Evidence(tee=Tee.TDX, report=data)


# Reports of AMD's


def wanted_for_report(psp: SoftwarePsp, **changes: Unpack[ReportFields]) -> tuple[Wanted, ...]:
    return wanted_for_evidence(Evidence(tee=Tee.SEV_SNP, report=psp.report(bytes(64), **changes)))


@pytest.mark.parametrize("product", ProductLine)
@pytest.mark.parametrize("kind", KeyKind)
@pytest.mark.parametrize("version", [3, 5])
def test_a_report_that_names_its_cpu_wants_what_is_of_its_product_line(
    product: ProductLine, kind: KeyKind, version: int
) -> None:
    psp = SoftwarePsp(product, kind, version=version)
    wanted = wanted_for(product=product, kind=kind, chip_id=psp.chip_id, tcb=psp.reported_tcb)
    assert wanted_for_report(psp) == wanted
    assert len(wanted) == (3 if kind is KeyKind.VCEK else 2)


def test_a_report_of_version_2_wants_what_is_of_either_product_line() -> None:
    psp = SoftwarePsp(ProductLine.MILAN, version=2)
    found = wanted_for_report(psp)
    assert found == tuple(
        key
        for product in (ProductLine.MILAN, ProductLine.GENOA)
        for key in wanted_for(product=product, kind=KeyKind.VCEK, chip_id=psp.chip_id, tcb=psp.reported_tcb)
    )
    assert len(found) == 6


@pytest.mark.parametrize("kind", KeyKind)
def test_a_report_of_an_unreadable_tcb_wants_no_certificate_of_its_chip(kind: KeyKind) -> None:
    psp = SoftwarePsp(ProductLine.GENOA, kind)
    assert wanted_for_report(psp, reported_tcb=b"\xff" * 8) == (
        ChainKey(product=ProductLine.GENOA, kind=kind),
        CrlKey(product=ProductLine.GENOA, kind=kind),
    )


def test_a_report_of_an_unknown_cpu_is_refused() -> None:
    for changes in (ReportFields(cpuid_family=0x1B), ReportFields(cpuid_model=0x77)):
        with pytest.raises(Malformed, match="no root key is known"):
            wanted_for_report(SoftwarePsp(ProductLine.TURIN), **changes)


# Quotes of Intel's


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
