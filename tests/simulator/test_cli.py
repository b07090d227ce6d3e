"""`cvmproof-simulator` runs its commands and says what is wrong in one sentence."""

import sys

import pytest

from cvmproof_simulator import cli


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["cvmproof-simulator", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize("arguments", [("evidence",), ("nonsense",), ("demo", "--nonsense")])
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
