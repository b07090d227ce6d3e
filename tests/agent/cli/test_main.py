"""The program: help, versions, exit codes, and one JSON object whatever happens."""

import signal
import subprocess
import sys

import pytest
from tests.agent.cli.program import COMMAND, clean, run

from cvmproof_agent.cli.exit_code import ExitCode, exit_code_of
from cvmproof_agent.cli.main import cli
from cvmproof_agent.dispatcher import RateLimited
from cvmproof_formats.errors import CvmproofError, DeviceError, EndpointError, Malformed, Misuse


def test_without_a_command_it_says_what_there_is() -> None:
    ran = run()
    assert ran.code == 1
    for name in ("serve", "collect", "doctor"):
        assert name in ran.err


def test_version_and_help_end_with_0() -> None:
    assert run("--version").out.startswith("cvmproof-agent ")
    for arguments in (["--help"], ["serve", "--help"], ["collect", "-h"], ["doctor", "--help"]):
        assert run(*arguments).code == 0


@pytest.mark.parametrize(
    "arguments", [["nothing"], ["doctor", "--nothing"], ["collect"], ["serve", "--log-level", "loud"]]
)
def test_wrong_use_ends_with_1(arguments: list[str]) -> None:
    ran = run(*arguments)
    assert ran.code == 1
    assert ran.err.startswith("cvmproof-agent: POLICY_INVALID: ")


def test_nothing_is_guessed_from_an_abbreviation() -> None:
    for arguments in (["doc"], ["doctor", "--dev", "simulated:snp"], ["--vers"]):
        assert run(*arguments).code == 1


@pytest.mark.parametrize(
    ("arguments", "logged"),
    [
        (["--log-format", "text", "serve"], "error: "),
        (["serve", "--log-format=text"], "error: "),
        (["--log-format", "text", "serve", "--log-format", "json"], "{"),
    ],
)
def test_how_to_log_is_said_before_the_command_or_behind_it_and_the_last_word_counts(
    arguments: list[str], logged: str
) -> None:
    program = "import logging; from cvmproof_agent.cli import serve; from cvmproof_agent.cli.main import cli\n"
    program += "serve._serve = lambda options: logging.getLogger('cvmproof_agent').error('x') or 0\n"
    ran = subprocess.run(
        [sys.executable, "-c", f"{program}cli.run({arguments})"], check=True, capture_output=True, text=True, timeout=60
    )
    assert ran.stderr.startswith(logged)


def test_wrong_use_is_one_object_where_json_is_asked_for() -> None:
    ran = run("doctor", "--json", "--device", "nothing")
    assert ran.code == 5
    assert ran.document["healthy"] is False
    assert run("doctor", "--json", "--nothing").document.keys() == {"error"}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Misuse("x"), 1),
        (Malformed("x"), 2),
        (DeviceError("x"), 5),
        (RateLimited("x"), 5),
        (EndpointError("x"), 5),
        (CvmproofError("x"), 70),
    ],
)
def test_whose_fault_it_is_decides_the_exit_code(error: CvmproofError, code: int) -> None:
    assert exit_code_of(error) == ExitCode(code)


def test_our_own_bug_ends_with_70_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "invoke", fail)
    assert cli.run(["doctor", "--json"]) == 70
    captured = capsys.readouterr()
    assert "a bug of cvmproof-agent: ZeroDivisionError" in captured.err
    assert '"category": "INTERNAL"' in captured.out


def test_a_reader_that_went_away_ends_it_as_the_signal_does() -> None:
    with subprocess.Popen([*COMMAND, "doctor"], env=clean(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(60) == -signal.SIGPIPE
        assert process.stderr is not None
        assert process.stderr.read() == b""
