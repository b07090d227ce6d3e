"""Figures are printed for whoever reads them, and a part that measures apart gives the same ones."""

import json
import subprocess
import sys

import pytest
from benchmarks.figures import measured_apart, show
from benchmarks.rounds import Figure

FOUND = [
    Figure.of("a over b", [(2, 3, 2)], limit=1.6),
    Figure.of("c over d", [(2, 9, 2)], limit=1.6, unit="KiB"),
    Figure.of("e over f", [(2, 3, 2)], limit=None),
]


def test_a_table_says_ratio_limit_and_times(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks"])
    show(FOUND)
    heading, empty, *lines = capsys.readouterr().out.splitlines()
    assert heading.startswith("Python 3.")
    assert empty == ""
    assert [" ".join(line.split()) for line in lines] == [
        "1.500 (at most 1.60: target met) 3.0 us over 2.0 us a over b",
        "4.500 (at most 1.60: MISSED) 9.0 KiB over 2.0 KiB c over d",
        "1.500 (reported) 3.0 us over 2.0 us e over f",
    ]


def test_what_a_part_prints_for_machines_is_read_back(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks.part", "--json"])
    show(FOUND)
    printed = capsys.readouterr().out
    assert [one["met"] for one in json.loads(printed)] == ["target met", "MISSED", "reported"]

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        assert command == [sys.executable, "-m", "benchmarks.part", "--json"]
        return subprocess.CompletedProcess(command, 0, stdout=printed.encode())

    monkeypatch.setattr(subprocess, "run", run)
    assert measured_apart("benchmarks.part") == FOUND


def test_a_part_that_fails_is_not_left_out() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        measured_apart("benchmarks.no_such_part")
