"""Figures: as text for people and, with `--json`, for machines; and of a part that measures in a process of its own."""

import json
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Final

from benchmarks.rounds import Figure

_FOLDER = Path(__file__).resolve().parent.parent
_NAMES: Final = frozenset(field.name for field in fields(Figure))


def show(figures: Sequence[Figure]) -> None:
    """Print figures in the form that the command line asks for."""
    if "--json" in sys.argv[1:]:
        print(json.dumps([asdict(figure) | {"met": figure.met} for figure in figures], indent=1))
        return
    print(f"Python {platform.python_version()}, {platform.machine()}; ratios are medians of interleaved rounds\n")
    for figure in figures:
        times = f"{figure.contestant_us:9.1f} {figure.unit} over {figure.floor_us:9.1f} {figure.unit}"
        print(f"{figure.ratio:7.3f}  ({_bound(figure)}{figure.met})  {times}  {figure.name}")


def measured_apart(module: str) -> list[Figure]:
    """Measure one part in a process of its own: what others leave in memory and in caches slows it down."""
    command = [sys.executable, "-m", module, "--json"]
    found = json.loads(subprocess.run(command, cwd=_FOLDER, stdout=subprocess.PIPE, check=True).stdout)
    return [Figure(**{name: value for name, value in one.items() if name in _NAMES}) for one in found]


def _bound(figure: Figure) -> str:
    return "" if figure.target is None else f"{'at least' if figure.at_least else 'at most'} {figure.target:.2f}: "
