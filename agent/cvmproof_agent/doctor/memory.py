"""Whether what is in memory stays there: nothing is swapped to a disk, which is the host's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cvmproof_agent.doctor.finding import Finding, conclude
from cvmproof_agent.doctor.tables import lines

_IN_MEMORY: Final = "/dev/zram"


def examine_swap(root: Path) -> Finding:
    """Look for swap below a root folder."""
    return conclude(
        "swap", _swaps(root), good="no swap but in memory", hint="swapoff: keys in memory would be written there"
    )


def _swaps(root: Path) -> Iterator[str]:
    for line in lines(root / "proc/swaps")[1:]:
        name = line.split()[0]
        if not name.startswith(_IN_MEMORY):
            yield f"swap on {name}"
