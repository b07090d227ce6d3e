"""A program of ours is ended with its context, whatever it does, and its lines are there as they come."""

import queue
import sys
from pathlib import Path

import pytest

from cvmproof_simulator import program
from cvmproof_simulator.program import Program, command_of, environment

STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); signal.pause()"


def run(code: str, folder: Path) -> Program:
    return Program([sys.executable, "-c", code], folder=folder, environment=environment(color=False))


def test_lines_come_up_to_the_one_that_was_waited_for(tmp_path: Path) -> None:
    code = "import sys, time; print('one'); print('two: 2', flush=True); sys.stderr.write('three'); time.sleep(60)"
    with run(code, tmp_path) as running:
        assert running.lines_until("two", 20) == ["one", "two: 2"]
    assert running.exit_code == -15


def test_all_lines_come_where_it_ends_before(tmp_path: Path) -> None:
    with run("print('one')", tmp_path) as running:
        assert running.lines_until("two", 20) == ["one"]
    assert running.stop() == 0


def test_silence_has_an_end(tmp_path: Path) -> None:
    with run("import time; time.sleep(60)", tmp_path) as running, pytest.raises(queue.Empty):
        running.lines_until("two", 0.1)


def test_one_that_does_not_want_to_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_PATIENCE", 0.2)
    with run(STUBBORN, tmp_path) as running:
        running.lines_until("here", 20)
    assert running.exit_code == -9


@pytest.mark.parametrize("name", ["cvmproof", "cvmproof-agent"])
def test_a_program_without_a_script_is_started_by_its_module(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    command = command_of(name)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert command_of(name)[0] == str(tmp_path / "python")
    with Program([*command, "--version"], folder=tmp_path, environment=environment(color=False)) as running:
        assert running.lines_until("never", 20)[0].startswith(f"{name} ")


def test_settings_of_whoever_runs_it_are_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CVMPROOF_OFFLINE", "true")
    assert "CVMPROOF_OFFLINE" not in environment(color=True)
    assert (environment(color=True)["FORCE_COLOR"], environment(color=False)["NO_COLOR"]) == ("1", "1")
