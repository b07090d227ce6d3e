"""`cvmproof-simulator evidence` writes evidence, right or wrong, and says that it is SIMULATED."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.simulator.tdx.verdict import verdict

from cvmproof_formats.binding import Role, Tee, nonce_report_data
from cvmproof_formats.evidence import read_evidence
from cvmproof_formats.pem import read_pem
from cvmproof_formats.snp.report import AttestationReport
from cvmproof_formats.tdx.certification_data import read_pck_chain
from cvmproof_formats.tdx.event_log import read_event_log
from cvmproof_formats.tdx.hierarchy import Ca, issuing_ca
from cvmproof_formats.tdx.pck import read_pck
from cvmproof_formats.tdx.quote import read_quote
from cvmproof_formats.tdx.signed_json import read_signed
from cvmproof_formats.tdx.tcb_info import read_tcb_info
from cvmproof_formats.tdx.tcb_status import TcbStatus
from cvmproof_formats.x509 import read_certificate, read_crl
from cvmproof_simulator import cli
from cvmproof_simulator.evidence_command import SNP_FIELDS, TDX_FIELDS
from cvmproof_simulator.tdx.collateral import Collateral
from cvmproof_simulator.tdx.platform import PCESVNS
from cvmproof_simulator.tdx.td import SIMULATED_MRTD, SoftwareTd

NONCE = "ab" * 32
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["cvmproof-simulator", "evidence", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_evidence_and_collateral_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--set", "policy=0xb0000", "--set", f"host_data={'07' * 32}", "--collateral", tmp_path / "c")
    assert run(monkeypatch, "--nonce", NONCE, *arguments, "-o", tmp_path / "e.json") == 0
    report = AttestationReport.parse(read_evidence((tmp_path / "e.json").read_bytes()).report)
    assert (report.policy, report.host_data) == (0xB0000, b"\7" * 32)
    assert len(list((tmp_path / "c").iterdir())) == 4
    assert "SIMULATED" in capsys.readouterr().err


def test_evidence_goes_to_standard_output(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(monkeypatch, "--nonce", NONCE, "--product", "Turin", "--key", "VLEK") == 0
    sys.stdout.flush()
    assert read_evidence(capfdbinary.readouterr().out).nonce == bytes.fromhex(NONCE)


def test_a_quote_is_written_and_bound_to_the_nonce(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "--tee", "tdx", "--nonce", NONCE, "-o", tmp_path / "e.json") == 0
    evidence = read_evidence((tmp_path / "e.json").read_bytes())
    quote = read_quote(evidence.report)
    assert (evidence.tee, evidence.event_log, evidence.certificates) == (Tee.TDX, None, ())
    assert (quote.header.version, quote.body.mr_td) == (4, SIMULATED_MRTD)
    expected = nonce_report_data(role=Role.SERVER, tee=Tee.TDX, nonce=bytes.fromhex(NONCE))
    assert quote.body.report_data == expected
    assert verdict(evidence.report, Collateral.of(SoftwareTd().platform, NOW), NOW) == ("UpToDate", [])


def test_a_quote_can_be_of_another_kind_and_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = ("--set", "td_attributes=0x10000001", "--set", f"mr_td={'07' * 48}", "--set", "qe_isv_svn=3")
    kind = ("--quote-version", 5, "--pck-ca", "processor", "--event-log")
    assert run(monkeypatch, "--tee", "tdx", "--nonce", NONCE, *kind, *changes, "-o", tmp_path / "e.json") == 0
    evidence = read_evidence((tmp_path / "e.json").read_bytes())
    quote = read_quote(evidence.report)
    assert (quote.header.version, quote.body.td_attributes, quote.body.mr_td) == (5, 0x10000001, b"\7" * 48)
    assert quote.qe.report.isv_svn == 3
    assert issuing_ca(read_certificate(read_pck_chain(quote.qe.pck_chain)[0]).issuer) is Ca.PROCESSOR
    assert evidence.event_log is not None
    assert read_event_log(evidence.event_log).replay() == quote.body.rtmrs


@pytest.mark.parametrize("status", PCESVNS)
def test_a_machine_has_the_status_asked_for(status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ("--tcb-status", status, "--collateral", tmp_path / "c", "-o", tmp_path / "e.json")
    assert run(monkeypatch, "--tee", "tdx", "--nonce", NONCE, *arguments) == 0
    quote = read_quote(read_evidence((tmp_path / "e.json").read_bytes()).report)
    files = {path.name: path.read_bytes() for path in (tmp_path / "c").iterdir()}
    info = read_tcb_info(read_signed(files["simulated-tcb-info.json"], "tcbInfo").body)
    found = read_crl(files["simulated-pck-platform.crl"])
    assert read_pck(read_certificate(read_pck_chain(quote.qe.pck_chain)[0])).pcesvn == PCESVNS[TcbStatus(status)]
    assert info.issue_date == found.this_update < datetime.now(UTC) < info.next_update
    assert read_pem(files["simulated-intel-root.pem"])[0] == read_pck_chain(quote.qe.pck_chain)[2]
    assert len(files) == 6


def test_what_can_be_set_are_numbers_and_bytes() -> None:
    assert {"policy", "measurement", "version"} <= SNP_FIELDS.keys()
    assert {"td_attributes", "mr_td", "qe_isv_svn", "body_type", "pck_chain"} <= TDX_FIELDS.keys()
    assert not {"signed_by", "report_data"} & TDX_FIELDS.keys()
    assert {*SNP_FIELDS.values(), *TDX_FIELDS.values()} == {int, bytes}


TDX = ("--tee", "tdx", "--nonce", NONCE)
SNP = ("--tee", "sev-snp", "--nonce", NONCE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--nonce"),
        (("--nonce", "zz"), "--nonce"),
        (("--nonce", "abcd"), "32 bytes"),
        ((*SNP, "--set", "nonsense=1"), "FIELD=VALUE"),
        ((*SNP, "--set", "policy"), "FIELD=VALUE"),
        ((*SNP, "--set", "policy=much"), "a number"),
        ((*SNP, "--set", "measurement=ab"), "48 bytes"),
        ((*SNP, "--set", "mr_td=ab"), "FIELD=VALUE"),
        ((*SNP, "--quote-version", "5"), "--quote-version is about tdx evidence, and --tee says sev-snp"),
        ((*SNP, "--event-log"), "--event-log is about tdx"),
        ((*TDX, "--product", "Genoa"), "--product is about sev-snp evidence, and --tee says tdx"),
        ((*TDX, "--certificates"), "--certificates is about sev-snp"),
        ((*TDX, "--set", "policy=1"), "FIELD=VALUE"),
        ((*TDX, "--set", "mr_td=ab"), "48 bytes"),
        ((*TDX, "--tcb-status", "Good"), "--tcb-status"),
    ],
)
def test_being_used_wrongly_is_one_sentence_and_exit_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert run(monkeypatch, *arguments) == 1
    error = capsys.readouterr().err
    assert "Error: " in error
    assert message in error
