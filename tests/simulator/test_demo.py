"""The demo ends with 0 only if every outcome was as it should be, and leaves nothing behind, however it ends."""

import io
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from cvmproof_formats.errors import EndpointError
from cvmproof_simulator import demo, stage
from cvmproof_simulator.demo import REFUSES_RELAY, Demo
from cvmproof_simulator.program import environment

COMMAND = [sys.executable, "-c", "from cvmproof_simulator.cli import main; main()", "demo", "--keep"]
LIMIT = 60  # seconds
BASH = shutil.which("bash")


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


class Interrupted:
    def wait(self) -> None:
        raise KeyboardInterrupt


def nobody_listens(said: str) -> bool:
    ports = {int(port) for port in re.findall(r"127\.0\.0\.1:([1-9][0-9]+)", said)}
    assert len(ports) >= 4, "two agents, a KDS and a Prism"
    for port in ports:
        with socket.socket() as client:
            client.settimeout(10)
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return False
    return True


def test_a_cvm_is_accepted_and_another_one_and_a_relay_are_refused(
    temporary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Demo(first_step=2).run() == 0
    text = capsys.readouterr().out
    steps = re.split(r"^\[(?=[0-9]/5\])", text, flags=re.MULTILINE)
    assert [step[:3] for step in steps[1:]] == ["2/5", "3/5", "4/5", "5/5"]
    _, started, good, evil, relayed = steps
    assert "SIMULATED" in started
    assert started.count("cvmproof-agent serve --device simulated:snp") == 2
    for words in ("ACCEPTED (simulated)   channel-bound", "Health.Check over the attested channel: SERVING"):
        assert words in good
    for words in ("REJECTED (simulated)", "MEASUREMENT: ", "DEBUG: ", "examples/floor.toml"):
        assert words in evil
    for words in (
        "key-bound evidence would be accepted",
        "cvmproof cvm verify cvm-good",
        "BINDING: the evidence is of another TLS connection",
        "REJECTED (simulated)",
        "The relay has read 38 bytes",
    ):
        assert words in relayed
    assert re.search(r"Done in \d+ s: 2 accepted, 2 rejected, as they should be. Everything is stopped.\n$", text)
    assert "UNEXPECTED" not in text
    assert list(temporary.iterdir()) == []
    assert nobody_listens(text)


def test_an_outcome_that_should_not_be_is_said_and_is_exit_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stage, "DEVICES", {**stage.DEVICES, stage.EVIL: "simulated:snp"})
    assert Demo().run() == 1
    text = capsys.readouterr().out
    assert "UNEXPECTED: exit 0, should be 3; missing ['REJECTED (simulated)', 'MEASUREMENT', 'DEBUG']" in text
    assert "3 accepted, 1 rejected, 1 NOT as they should be" in text


def test_a_command_that_gets_nowhere_is_a_surprise(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = ("cvm", "verify", "cvm-missing", *REFUSES_RELAY.arguments[3:])
    monkeypatch.setattr(demo, "REFUSES_RELAY", replace(REFUSES_RELAY, arguments=nowhere))
    assert Demo().run() == 1
    text = capsys.readouterr().out
    assert "UNEXPECTED: exit 5, should be 3" in text
    assert "UNEXPECTED: the request alone is 38 bytes" in text
    assert "2 accepted, 1 rejected, 2 NOT as they should be" in text


def test_silence_is_a_surprise(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def silent(_: str) -> str:
        raise queue.Empty

    monkeypatch.setattr(demo, "check_health", silent)
    assert Demo().run() == 1
    assert "UNEXPECTED: no word for 60 s" in capsys.readouterr().out
    assert list(temporary.iterdir()) == []


def test_an_agent_that_does_not_start_is_said(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "DEVICES", {**stage.DEVICES, stage.EVIL: "simulated:nothing"})
    with pytest.raises(EndpointError, match=r"the agent of cvm-evil did not start: .*nothing"):
        Demo().run()
    assert list(temporary.iterdir()) == []


def test_interrupted_it_leaves_nothing(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "check_health", interrupted)
    assert Demo().run() == 130
    text = capsys.readouterr().out
    assert text.endswith("Interrupted. Everything is stopped.\n")
    assert list(temporary.iterdir()) == []
    assert nobody_listens(text)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_another_one_does_not_disturb_that(temporary: Path, number: signal.Signals) -> None:
    settings = {**environment(color=False), "TMPDIR": str(temporary)}
    running = subprocess.Popen(COMMAND, env=settings, cwd=temporary, stdout=subprocess.PIPE, encoding="utf-8")
    assert running.stdout is not None
    said = ""
    while "[2/4]" not in said:
        line = running.stdout.readline()
        assert line, said
        said += line
    running.send_signal(number)
    running.send_signal(number)
    rest, _ = running.communicate(timeout=LIMIT)
    assert running.returncode == 130
    assert rest.endswith("Interrupted. Everything is stopped.\n")
    assert list(temporary.iterdir()) == []
    assert nobody_listens(said)


@pytest.mark.skipif(BASH is None, reason="needs bash")
def test_kept_it_waits_and_what_it_says_to_try_works(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tried: list[str] = []

    class Trying(Interrupted):
        def wait(self) -> None:
            said = capsys.readouterr().out
            assert "2 rejected, as they should be.\n" in said
            lines = said[said.index("It goes on until Ctrl-C") :].splitlines()[1:]
            script = "set -x\n" + "\n".join(f"{line}; echo exit $?" for line in lines)
            done = subprocess.run(
                [str(BASH), "-c", script], env=environment(color=False), capture_output=True, text=True, check=False
            )
            tried.append(done.stdout + done.stderr)
            super().wait()

    monkeypatch.setattr(demo, "Event", Trying)
    assert Demo(keep=True).run() == 0
    assert capsys.readouterr().out == "\nEverything is stopped.\n"
    (text,) = tried
    assert re.findall(r"^exit (\d+)$", text, re.MULTILINE) == ["0", "0", "3", "0", "0"], text
    assert "2 accepted, 1 rejected, 0 undecided" in text
    assert list(temporary.iterdir()) == []


def test_neither_a_clone_nor_unicode_is_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(stage, "__file__", str(tmp_path / "a" / "b" / "stage.py"))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    assert Demo().run() == 0
    text = written.getvalue().decode("ascii")
    assert "|- ok   chain" in text
    assert set(re.findall(r"\S*\?\S*", text)) == {"purpose?"}
