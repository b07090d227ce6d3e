"""The demo ends with 0 only if every outcome was as it should be, and leaves nothing behind."""

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from cvmproof_simulator import demo
from cvmproof_simulator.demo import Demo, environment, scenes_of


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_one_is_accepted_and_three_frauds_are_refused(temporary: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert Demo().run() == 0
    text = capsys.readouterr().out
    assert text.count("ACCEPTED (simulated)") == 1
    assert text.count("REJECTED (simulated)") == 3
    for words in ("MEASUREMENT: ", "DEBUG: ", "SIGNATURE: ", "SIMULATED: ", "[2/6] Starting a SIMULATED", "[6/6]"):
        assert words in text
    assert "1 accepted, 3 rejected, as they should be. Everything is stopped." in text
    assert list(temporary.iterdir()) == []


def test_an_outcome_that_should_not_be_is_said_and_is_exit_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def one_scene(nonce: bytes, url: str) -> tuple[demo.Scene, ...]:
        return (replace(scenes_of(nonce, url)[0], says=("REJECTED",)),)

    monkeypatch.setattr(demo, "scenes_of", one_scene)
    assert Demo().run() == 1
    assert "UNEXPECTED: exit 0" in capsys.readouterr().out


def test_kept_it_waits_until_it_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Interrupted:
        def wait(self) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr(demo, "scenes_of", lambda nonce, url: scenes_of(nonce, url)[:1])
    monkeypatch.setattr(demo, "Event", Interrupted)
    assert Demo(keep=True).run() == 0
    assert "Ctrl-C ends it" in capsys.readouterr().out


def test_a_clone_is_not_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(demo, "__file__", str(tmp_path / "a" / "b" / "demo.py"))
    assert Demo().run() == 0


def test_settings_of_whoever_runs_it_are_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CVMPROOF_OFFLINE", "true")
    assert "CVMPROOF_OFFLINE" not in environment(color=True)
    assert (environment(color=True)["FORCE_COLOR"], environment(color=False)["NO_COLOR"]) == ("1", "1")
