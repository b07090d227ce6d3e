"""Many appraisals in one process, TDX or SNP: memory and time near the first and the last of them.

`python -m benchmarks.many tdx 100000` prints one JSON object. The quotes are more than any cache holds, each with an
attestation key and a QE report of its own, and come again and again.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from typing import Final

from benchmarks import material, tdx
from benchmarks.rounds import NANOSECONDS_PER_MICROSECOND, Figure

APPRAISALS: Final = 100_000
WARMING: Final = 2 * tdx.NEW_QUOTES  # until every cache is as full as it gets
_BLOCKS = 40
_FOLDER = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Many:
    """Resident memory in KiB, and the fastest block's CPU microseconds for one appraisal: first and last quarter."""

    early_kib: float
    late_kib: float
    early_us: float
    late_us: float


def run(appraise: Callable[[], object], count: int) -> Many:
    """Appraise so often."""
    for _ in range(WARMING):
        appraise()
    early_kib, each = _resident_kib(), max(count // _BLOCKS, 1)
    blocks = [_cpu_us(appraise, each) for _ in range(_BLOCKS)]
    quarter = _BLOCKS // 4
    return Many(
        early_kib=early_kib,
        late_kib=_resident_kib(),
        early_us=min(blocks[:quarter]),
        late_us=min(blocks[-quarter:]),
    )


def measure(count: int = APPRAISALS) -> list[Figure]:
    """Measure each technology in a process of its own; takes two minutes for 100,000."""
    figures = []
    for name in _APPRAISING:
        command = [sys.executable, "-m", "benchmarks.many", name, str(count)]
        found = Many(**json.loads(subprocess.run(command, cwd=_FOLDER, capture_output=True, check=True).stdout))
        what = f"{count} {name.upper()} appraisals, the last over the first"
        memory, times = (found.early_kib, found.late_kib), (found.early_us, found.late_us)
        figures.append(Figure.of(f"{what}: resident memory", [(*memory, memory[0])], limit=1.02, unit="KiB"))
        figures.append(Figure.of(f"{what}: CPU time of each", [(*times, times[0])], limit=1.1))
    return figures


def _tdx() -> Callable[[], object]:
    return tdx.simulated().appraising(cycle(tdx.new_quotes()))


def _snp() -> Callable[[], object]:
    return material.appraise


_APPRAISING = {"tdx": _tdx, "snp": _snp}


def _cpu_us(appraise: Callable[[], object], count: int) -> float:
    start = time.thread_time_ns()
    for _ in range(count):
        appraise()
    return (time.thread_time_ns() - start) / count / NANOSECONDS_PER_MICROSECOND


def _resident_kib() -> float:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 -- proc, not a path of anybody's
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024


if __name__ == "__main__":
    print(json.dumps(asdict(run(_APPRAISING[sys.argv[1]](), int(sys.argv[2])))))
