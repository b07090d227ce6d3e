"""Swap: none, in memory, on a disk."""

from pathlib import Path

import pytest

from cvmproof_agent.doctor.finding import Outcome
from cvmproof_agent.doctor.memory import examine_swap

SWAPS_HEAD = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"


def test_without_any_swap_it_is_well(tmp_path: Path) -> None:
    assert examine_swap(tmp_path).outcome is Outcome.PASS


@pytest.mark.parametrize(("name", "outcome"), [("/dev/zram0", Outcome.PASS), ("/dev/sda2", Outcome.FAIL)])
def test_swap_is_found_unless_it_is_in_memory(tmp_path: Path, name: str, outcome: Outcome) -> None:
    table = tmp_path / "proc/swaps"
    table.parent.mkdir()
    table.write_text(f"{SWAPS_HEAD}{name}\tpartition\t1\t0\t-2\n")
    assert examine_swap(tmp_path).outcome is outcome
