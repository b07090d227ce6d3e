"""`cvmproof-simulator devices` runs a command in the harness: its exit code, signals, words, and help."""

import signal
import subprocess
import sys

import pytest

from cvmproof_simulator.cli import main
from cvmproof_simulator.devices.faults import FaultKind
from cvmproof_simulator.devices.interfaces import Interface

COMMAND = [sys.executable, "-c", "from cvmproof_simulator.cli import main; main()", "devices"]
PATIENCE = 60.0
# What ordinary users can have anywhere; the rest is tested with the harness.
SECCOMP = ("--through", "seccomp", "--kernel", "sev-guest")


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*COMMAND, *arguments], check=False, capture_output=True, text=True, timeout=PATIENCE)


@pytest.mark.parametrize(("script", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", 137)])
def test_the_exit_code_is_the_commands(script: str, status: int) -> None:
    assert run(*SECCOMP, "--quiet", "--", "sh", "-c", script).returncode == status


def test_outputs_are_the_commands_and_one_line_says_what_is_simulated() -> None:
    ran = run(*SECCOMP, "--", "sh", "-c", "test -e /dev/sev-guest && echo there; echo error >&2")
    assert ran.stdout == "there\n"
    words, error = ran.stderr.splitlines()
    assert words == (
        "cvmproof-simulator: SIMULATED through intercepted system calls, and convincing nobody: /dev/sev-guest"
    )
    assert error == "error"


def test_options_behind_the_command_are_the_commands() -> None:
    ran = run(*SECCOMP, "--quiet", "echo", "--machine", "--", "-x")
    assert ran.stdout == "--machine -- -x\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_signals_are_passed_on(number: signal.Signals) -> None:
    script = f"trap 'echo got; exit 9' {number.name.removeprefix('SIG')}; echo ready; while :; do sleep 0.05; done"
    # Whoever runs the tests in the background may ignore a signal, and a shell can't trap what it was told to ignore.
    arguments = ["env", "--default-signal", *COMMAND, *SECCOMP, "--quiet", "--", "sh", "-c", script]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        output, _ = process.communicate(timeout=PATIENCE)
        assert (output, process.wait()) == ("got\n", 9)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ((), 1, "expected a command behind --"),
        (("--machine", "sgx", "--", "true"), 1, "expected snp or tdx, got 'sgx'"),
        (("--fault", "x", "--", "true"), 1, "fault: expected one of delay, "),
        (("--kernel", "tdx-guest", "--", "true"), 1, "--kernel: on this machine expected some of sev-guest, tsm"),
        (("--through", "magic", "--", "true"), 1, "'magic' is not one of"),
        (("--through", "seccomp", "--kernel", "tsm", "--", "true"), 1, "can be had through FUSE only"),
        ((*SECCOMP, "--quiet", "--", "/nonsense"), 127, "/nonsense: no such command"),
        ((*SECCOMP, "--quiet", "--", "/etc/passwd"), 126, "/etc/passwd: Permission denied"),
    ],
)
def test_what_can_not_be_run_is_one_sentence(arguments: tuple[str, ...], status: int, words: str) -> None:
    ran = run(*arguments)
    assert ran.returncode == status
    assert words in ran.stderr
    assert "Traceback" not in ran.stderr


def test_help_and_the_list_of_faults_name_everything(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for option, names in (("-h", [*Interface]), ("--list-faults", [*FaultKind])):
        monkeypatch.setattr(sys, "argv", ["cvmproof-simulator", "devices", option])
        with pytest.raises(SystemExit, match="0"):
            main()
        output = capsys.readouterr().out
        assert [name for name in names if name not in output] == []


def test_elsewhere_than_on_linux_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(sys, "argv", ["cvmproof-simulator", "devices", "--", "true"])
    with pytest.raises(SystemExit, match="1"):
        main()
    assert "simulated devices need Linux" in capsys.readouterr().err
