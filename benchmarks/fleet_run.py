"""`cvmproof cvm verify --all` with a stopwatch in it: `python -m benchmarks.fleet_run TIMES ARGUMENTS...`.

The command runs in this process, so many times, and after each run the appraisal of its last CVM as often as there were
CVMs: the floor. Prints one JSON object for each run.
"""

import io
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass, field
from functools import partial
from unittest.mock import patch

from benchmarks.rounds import NANOSECONDS_PER_MICROSECOND
from cvmproof.appraise import appraise
from cvmproof.channel import connect
from cvmproof.cli import cvm_fleet, gathering
from cvmproof.cli.main import cli
from cvmproof.collateral.store import CollateralStore
from cvmproof.cvm import appraising
from cvmproof.marks import Marks
from cvmproof.prism.client import PrismClient

EARLY = 50  # CVMs after which memory is looked at for the first time
PARTS: dict[str, tuple[tuple[object, str], ...]] = {
    "the API's answer": ((PrismClient, "_perform"),),
    "reading the policy": ((appraising, "open_case"),),
    "connecting and TLS handshake": ((connect, "dial"),),
    "asking for evidence": ((connect, "ask"),),
    "collateral from disk": ((CollateralStore, "load"),),
    "appraisal": ((gathering, "appraise"),),
    "marks": ((Marks, "policy_digest"), (Marks, "note_policy")),
    "its line in the result": ((cvm_fleet, "entry_document"),),
}

Function = Callable[..., object]


@dataclass(slots=True)
class Run:
    """One run; times in microseconds of CPU but for `wall_us`, memory in KiB."""

    cvms: int = 0
    exit_code: int = 0
    wall_us: float = 0.0
    cpu_us: float = 0.0
    bare_us: float = 0.0
    early_kib: float = 0.0
    late_kib: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)


class Stopwatch:
    """Takes the CPU time that threads spend in functions, without that of other timed functions they call."""

    def __init__(self) -> None:
        self._spent: Counter[str] = Counter()
        self._here = threading.local()
        self._lock = threading.Lock()

    def timed(self, name: str, function: Function) -> Function:
        """Put the watch around a function."""

        def run(*arguments: object, **named: object) -> object:
            outside, self._here.below = getattr(self._here, "below", 0), 0
            start = time.thread_time_ns()
            try:
                return function(*arguments, **named)
            finally:
                took = time.thread_time_ns() - start
                with self._lock:
                    self._spent[name] += took - self._here.below
                self._here.below = outside + took

        return run

    def spent(self) -> dict[str, float]:
        """Microseconds so far, by name."""
        return {name: self._spent[name] / NANOSECONDS_PER_MICROSECOND for name in PARTS}


class Watch:
    """What is looked at while one run lasts."""

    def __init__(self) -> None:
        self.run, self.stopwatch = Run(), Stopwatch()
        self.again: Callable[[], object] = lambda: None

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Look."""
        with ExitStack() as patched:

            def put(place: object, function: str, around: Callable[[Function], Function]) -> None:
                patched.enter_context(patch.object(place, function, around(getattr(place, function))))

            for name, places in PARTS.items():
                for place, function in places:
                    put(place, function, partial(self.stopwatch.timed, name))
            put(gathering, "appraise", self._keep)
            put(cvm_fleet, "entry_document", self._count)
            wall, cpu = time.perf_counter_ns(), time.process_time_ns()
            yield
            self.run.cpu_us = (time.process_time_ns() - cpu) / NANOSECONDS_PER_MICROSECOND
            self.run.wall_us = (time.perf_counter_ns() - wall) / NANOSECONDS_PER_MICROSECOND
        self.run.late_kib, self.run.parts = _resident_kib(), self.stopwatch.spent()

    def _count(self, function: Function) -> Function:
        def counted(*arguments: object, **named: object) -> object:
            self.run.cvms += 1
            if self.run.cvms == EARLY:
                self.run.early_kib = _resident_kib()
            return function(*arguments, **named)

        return counted

    def _keep(self, function: Function) -> Function:
        bare: Function = appraise

        def kept(*arguments: object, **named: object) -> object:
            self.again = partial(bare, *arguments, **named)
            return function(*arguments, **named)

        return kept


def main() -> None:
    """Run."""
    for _ in range(int(sys.argv[1])):
        watch = Watch()
        with watch.looking(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            watch.run.exit_code = _run_command(sys.argv[2:])
        start = time.thread_time_ns()
        for _ in range(watch.run.cvms):
            watch.again()
        watch.run.bare_us = (time.thread_time_ns() - start) / NANOSECONDS_PER_MICROSECOND
        print(json.dumps(asdict(watch.run)), flush=True)


def _run_command(arguments: list[str]) -> int:
    try:
        cli(arguments)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _resident_kib() -> float:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 -- proc, not a path of anybody's
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024


if __name__ == "__main__":
    main()
