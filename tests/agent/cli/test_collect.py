"""`collect`: evidence in a file, all of it or nothing."""

from pathlib import Path

import pytest
from tests.agent.cli.program import run, serve

from cvmproof_formats.binding import Role, Tee, nonce_report_data
from cvmproof_formats.evidence import read_evidence
from cvmproof_formats.snp.report import read_report
from cvmproof_formats.tdx.event_log import read_event_log
from cvmproof_formats.tdx.quote import read_quote

NONCE = bytes(range(32))
SIMULATED = ("--device", "simulated:snp,product=Turin")


def test_evidence_over_a_nonce_is_written(tmp_path: Path) -> None:
    ran = run("collect", "--nonce", NONCE.hex(), *SIMULATED, "--out", str(tmp_path / "e.json"))
    assert ran.code == 0
    evidence = read_evidence((tmp_path / "e.json").read_bytes())
    expected = nonce_report_data(role=Role.SERVER, tee=Tee.SEV_SNP, nonce=NONCE)
    assert read_report(evidence.report).report_data == expected
    assert [path.name for path in tmp_path.iterdir()] == ["e.json"]


@pytest.mark.parametrize("wanted", [[], ["--event-log"]])
def test_evidence_of_a_td_has_the_log_of_its_boot_where_it_is_asked_for(wanted: list[str]) -> None:
    ran = run("collect", "--nonce", NONCE.hex(), "--device", "simulated:tdx,version=5", *wanted, "--out", "-")
    assert ran.code == 0
    evidence = read_evidence(ran.out.encode())
    body = read_quote(evidence.report).body
    assert body.report_data == nonce_report_data(role=Role.SERVER, tee=Tee.TDX, nonce=NONCE)
    assert (evidence.tee, evidence.certificates) == (Tee.TDX, ())
    assert (evidence.event_log is not None) is bool(wanted)
    assert evidence.event_log is None or read_event_log(evidence.event_log).replay() == body.rtmrs


def test_evidence_over_user_data_goes_to_standard_output() -> None:
    ran = run("collect", "--user-data", "616263", *SIMULATED, "--out", "-")
    assert ran.code == 0
    assert read_evidence(ran.out.encode()).user_data == b"abc"


def test_a_running_agent_is_asked_at_its_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "user.sock")
    with serve("--user-socket", path):
        ran = run("collect", "--user-data", "616263", "--socket", path, "--out", "-")
        assert read_evidence(ran.out.encode()).user_data == b"abc"
        assert run("collect", "--nonce", NONCE.hex(), "--socket", path, "--out", "-").code == 1
    assert run("collect", "--user-data", "616263", "--socket", path, "--out", "-").code == 5


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--nonce", NONCE.hex(), "--user-data", "00"],
        ["--nonce", "00"],
        ["--nonce", "zz" * 32],
        ["--user-data", "0"],
        ["--user-data", "00" * 4097],
        ["--report-data", "00" * 64],
    ],
)
def test_anything_else_is_misuse(arguments: list[str], tmp_path: Path) -> None:
    out = tmp_path / "e.json"
    assert run("collect", *arguments, *SIMULATED, "--out", str(out)).code == 1
    assert not out.exists()


def test_without_a_device_it_ends_with_5_and_writes_nothing(tmp_path: Path) -> None:
    assert run("collect", "--nonce", NONCE.hex(), "--out", str(tmp_path / "e")).code == 5
    assert list(tmp_path.iterdir()) == []


def test_where_it_can_not_write_it_ends_with_5(tmp_path: Path) -> None:
    ran = run("collect", "--nonce", NONCE.hex(), *SIMULATED, "--out", str(tmp_path / "none" / "e"))
    assert ran.code == 5
    assert "can't be written" in ran.err
