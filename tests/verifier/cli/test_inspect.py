"""`cvmproof inspect` shows everything and checks nothing."""

from pathlib import Path

import pytest

from cvmproof_formats.pem import write_pem
from cvmproof_formats.snp.certificate_table import CRL, VCEK, VLEK, TableEntry, build_certificate_table
from cvmproof_simulator.evidence import nonce_evidence
from cvmproof_simulator.psp import SoftwarePsp
from cvmproof_simulator.tdx.evidence import nonce_evidence as tdx_nonce_evidence
from cvmproof_simulator.tdx.td import SoftwareTd

from .conftest import NONCE, Run


def test_an_evidence_file_is_shown_with_its_labels_and_report(run: Run, folder: Path) -> None:
    ran = run("inspect", folder / "good.json")
    assert ran.code == 0
    for words in ("binding       nonce", NONCE.hex(), "Genoa (Genoa)", "bl10/tee0/snp27/ucode86"):
        assert words in ran.stdout
    assert "nothing was checked" in ran.stderr


def test_a_forged_report_is_shown_just_the_same(run: Run, folder: Path, psp: SoftwarePsp) -> None:
    (folder / "forged.bin").write_bytes(psp.report(bytes(64), signature=(0, 0)))
    ran = run("inspect", folder / "forged.bin", "--json")
    assert ran.code == 0
    assert ran.document["checked"] is False
    assert ran.document["sections"][0]["fields"]["policy"] == "0x30000: ABI 0.0, smt"


def test_an_old_report_says_that_it_does_not_name_its_product(run: Run, folder: Path, psp: SoftwarePsp) -> None:
    (folder / "old.bin").write_bytes(psp.report(bytes(64), version=2))
    assert "a version 2 report does not say" in run("inspect", folder / "old.bin").stdout


@pytest.mark.parametrize(
    ("name", "words"),
    [("vcek.der", "hwid"), ("ark.der", "ARK-Genoa"), ("ask.der", "SEV-Genoa"), ("ark.crl", "revocation list")],
)
def test_a_certificate_or_list_is_shown(run: Run, folder: Path, name: str, words: str) -> None:
    ran = run("inspect", folder / "collateral" / f"simulated-genoa-{name}")
    assert ran.code == 0
    assert words in ran.stdout


def test_pem_is_shown_block_by_block(run: Run, folder: Path, psp: SoftwarePsp) -> None:
    (folder / "chain.pem").write_bytes(b"".join(write_pem(der) for der in psp.certificates()))
    assert run("inspect", folder / "chain.pem").stdout.count("not_after") == 3


def test_a_certificate_table_is_shown_alone_and_behind_a_report(run: Run, folder: Path, psp: SoftwarePsp) -> None:
    entries = (TableEntry(guid=VCEK, data=psp.vek()), TableEntry(guid=CRL, data=b"?"), TableEntry(guid=VLEK, data=b""))
    table = build_certificate_table(entries)
    (folder / "table.bin").write_bytes(table)
    (folder / "report.bin").write_bytes(psp.report(bytes(64)) + build_certificate_table(entries[:1]))
    for name in ("table.bin", "report.bin"):
        ran = run("inspect", folder / name)
        assert ran.code == 0
        assert f"table entry {VCEK} (VCEK)" in ran.stdout
    assert "neither a certificate nor a revocation list" in run("inspect", folder / "table.bin").stdout


def test_a_quote_is_shown_with_its_certificates_and_the_log_beside_it(run: Run, folder: Path) -> None:
    td = SoftwareTd()
    (folder / "quote.bin").write_bytes(td.quote(bytes(64), td_attributes=1) + bytes(100))
    (folder / "td.json").write_bytes(tdx_nonce_evidence(td, NONCE, with_event_log=True))
    for name in ("quote.bin", "td.json"):
        ran = run("inspect", folder / name)
        assert ran.code == 0
        for words in ("TDX quote", td.platform.ppid.hex(), "quoting enclave's report", "Intel SGX Root CA"):
            assert words in ran.stdout
        assert "nothing was checked" in ran.stderr
    assert "td_attributes    0x1: debug" in run("inspect", folder / "quote.bin").stdout
    sections = run("inspect", folder / "td.json", "--json").document["sections"]
    assert sections[-1]["title"] == "event log"
    assert sections[-1]["fields"]["ipl 1"] == "rtmr2: kernel_cmdline: root=/dev/vda1 ro console=hvc0"


def test_anything_else_is_malformed(run: Run, folder: Path) -> None:
    (folder / "text").write_text("hello")
    assert run("inspect", folder / "text").code == 2


def test_evidence_with_certificates_shows_them(run: Run, folder: Path, psp: SoftwarePsp) -> None:
    (folder / "full.json").write_bytes(nonce_evidence(psp, NONCE, with_certificates=True))
    assert run("inspect", folder / "full.json").stdout.count("not_after") == 3
