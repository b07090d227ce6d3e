"""The demo ends with 0 only if every outcome was as it should be, and leaves nothing behind."""

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from cvmproof_simulator import demo
from cvmproof_simulator.demo import Demo, live_scene, relayed_scene, scenes_of


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_machine_is_accepted_twice_and_four_frauds_are_refused(
    temporary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Demo().run() == 0
    text = capsys.readouterr().out
    assert text.count("ACCEPTED (simulated)") == 2
    assert text.count("REJECTED (simulated)") == 4
    for words in ("MEASUREMENT: ", "DEBUG: ", "SIGNATURE: ", "SIMULATED: ", "[2/8] Starting a SIMULATED", "[8/8]"):
        assert words in text
    accepted, relayed = text[text.index("[7/8]") : text.index("[8/8]")], text[text.index("[8/8]") :]
    assert "channel-bound" in accepted
    assert "Health.Check over the attested channel: SERVING" in accepted
    assert "key-bound evidence would be accepted" in relayed
    assert "BINDING: the evidence is of another TLS connection" in relayed
    assert "The relay has read 38 bytes" in relayed
    assert "2 accepted, 4 rejected, as they should be. Everything is stopped." in text
    assert list(temporary.iterdir()) == []


def test_an_outcome_that_should_not_be_is_said_and_is_exit_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def one_scene(nonce: bytes, url: str) -> tuple[demo.Scene, ...]:
        return (replace(scenes_of(nonce, url)[0], says=("REJECTED",)),)

    monkeypatch.setattr(demo, "scenes_of", one_scene)
    assert Demo().run() == 1
    assert "UNEXPECTED: exit 0" in capsys.readouterr().out


def test_a_client_that_can_not_connect_is_a_surprise(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nobody(agent: str, url: str) -> demo.Scene:
        return live_scene(agent.rpartition(":")[0] + ":1", url)

    def unheard(relay: str, url: str) -> demo.Scene:
        return relayed_scene(relay.rpartition(":")[0] + ":1", url)

    monkeypatch.setattr(demo, "live_scene", nobody)
    monkeypatch.setattr(demo, "relayed_scene", unheard)
    assert Demo().run() == 1
    text = capsys.readouterr().out
    assert text.count("UNEXPECTED: exit 5") == 2
    assert "UNEXPECTED: the request alone is 38 bytes" in text


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
