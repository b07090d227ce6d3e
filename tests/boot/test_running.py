"""A program that builds says what went wrong, and only then what it printed."""

from pathlib import Path

import pytest
from boot.running import LAST_LINES, run

from cvmproof_formats.errors import Misuse


def test_output_of_both_kinds_comes_back_in_order(tmp_path: Path) -> None:
    assert run(["sh", "-c", "echo one; echo two >&2; pwd"], seconds=20, folder=tmp_path) == f"one\ntwo\n{tmp_path}\n"


def test_a_failure_shows_the_last_lines() -> None:
    with pytest.raises(Misuse, match="sh: expected exit code 0, got 3") as caught:
        run(["sh", "-c", "seq 100; exit 3"], seconds=20)
    assert str(caught.value).splitlines()[1:] == [str(number) for number in range(101 - LAST_LINES, 101)]


def test_what_does_not_end_is_ended() -> None:
    with pytest.raises(Misuse, match="expected an end within 0 s"):
        run(["sleep", "60"], seconds=0.2)
