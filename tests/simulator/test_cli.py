"""`cvmproof-simulator evidence` writes evidence, right or wrong, and says that it is SIMULATED."""

import sys
from pathlib import Path

import pytest

from cvmproof_formats.evidence import read_evidence
from cvmproof_formats.snp.report import AttestationReport
from cvmproof_simulator import cli

NONCE = "ab" * 32


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["cvmproof-simulator", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_evidence_and_collateral_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--set", "policy=0xb0000", "--set", f"host_data={'07' * 32}", "--collateral", tmp_path / "c")
    assert run(monkeypatch, "evidence", "--nonce", NONCE, *arguments, "-o", tmp_path / "e.json") == 0
    report = AttestationReport.parse(read_evidence((tmp_path / "e.json").read_bytes()).report)
    assert (report.policy, report.host_data) == (0xB0000, b"\7" * 32)
    assert len(list((tmp_path / "c").iterdir())) == 4
    assert "SIMULATED" in capsys.readouterr().err


def test_evidence_goes_to_standard_output(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(monkeypatch, "evidence", "--nonce", NONCE, "--product", "Turin", "--key", "VLEK") == 0
    sys.stdout.flush()
    assert read_evidence(capfdbinary.readouterr().out).nonce == bytes.fromhex(NONCE)


@pytest.mark.parametrize(
    "arguments",
    [
        ("evidence",),
        ("evidence", "--nonce", "zz"),
        ("evidence", "--nonce", "abcd"),
        ("evidence", "--nonce", NONCE, "--set", "nonsense=1"),
        ("evidence", "--nonce", NONCE, "--set", "policy"),
        ("evidence", "--nonce", NONCE, "--set", "policy=much"),
        ("evidence", "--nonce", NONCE, "--set", "measurement=ab"),
        ("nonsense",),
    ],
)
def test_being_used_wrongly_is_one_sentence_and_exit_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert run(monkeypatch, *arguments) == 1
    assert "Error: " in capsys.readouterr().err


def test_help_and_version_are_there(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "-h") == 0
    assert run(monkeypatch, "--version") == 0
    assert "cvmproof-simulator" in capsys.readouterr().out


def test_the_demo_is_started_with_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []

    class Demo:
        def __init__(self, **options: object) -> None:
            started.append(options)

        def run(self) -> int:
            return 0

    monkeypatch.setattr("cvmproof_simulator.demo.Demo", Demo)
    assert run(monkeypatch, "demo", "--no-color", "--keep") == 0
    assert started == [{"keep": True, "color": False, "first_step": 1}]


def test_the_demo_says_what_to_install_where_the_agent_can_not_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "find_spec", lambda _: None)
    assert run(monkeypatch, "demo") == 1
    assert "pip install 'cvmproof[agent]'" in capsys.readouterr().err
