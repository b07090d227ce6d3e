"""Paired rounds: floor, contestant, floor, on the CPU clock, again and again; the median of the quietest counts."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

NANOSECONDS_PER_MICROSECOND = 1000

QUIET = 1.05
"""How much slower than the quickest of all a floor may be in a quiet round."""
MOST = 4
"""How many times the rounds that are wanted are measured at most."""

Round = tuple[float, float, float]
"""Floor, contestant, floor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured ratio: its name, target and limit, the smallest values seen, microseconds unless `unit` says."""

    name: str
    ratio: float
    target: float | None
    limit: float | None
    contestant_us: float
    floor_us: float
    at_least: bool = False
    unit: str = "us"

    @classmethod
    def of(cls, name: str, rounds: Sequence[Round], *, limit: float | None, unit: str = "us") -> Self:
        """Make the figure of rounds that were measured elsewhere; its target is its limit, None demands nothing."""
        return cls(
            name=name,
            ratio=statistics.median(2 * found / (before + after) for before, found, after in rounds),
            target=limit,
            limit=limit,
            contestant_us=min(found for _, found, _ in rounds),
            floor_us=min(min(before, after) for before, _, after in rounds),
            unit=unit,
        )

    @property
    def met(self) -> str:
        """Whether the target, or only the limit, or neither was met."""
        if self.target is None or self.limit is None:
            return "reported"
        ratio, target, limit = (-1 if self.at_least else 1) * self.ratio, self.target, self.limit
        if self.at_least:
            target, limit = -target, -limit
        return "target met" if ratio <= target else "limit met" if ratio <= limit else "MISSED"


def cpu_us(run: Callable[[], object], times: int, prepare: Callable[[], object] | None = None) -> float:
    """Measure the CPU time of one call in microseconds, averaged over `times` calls.

    With `prepare`, which runs before each, calls are measured one by one, and it is the median of them.
    """
    if prepare is not None:
        return statistics.median(_once(run, prepare) for _ in range(times)) / NANOSECONDS_PER_MICROSECOND
    start = time.thread_time_ns()
    for _ in range(times):
        run()
    return (time.thread_time_ns() - start) / times / NANOSECONDS_PER_MICROSECOND


def _once(run: Callable[[], object], prepare: Callable[[], object]) -> int:
    prepare()
    start = time.thread_time_ns()
    run()
    return time.thread_time_ns() - start


def paired(
    name: str,
    contestant: Callable[[], object],
    floor: Callable[[], object],
    *,
    target: float,
    limit: float,
    rounds: int = 25,
    times: int = 60,
    prepare: Callable[[], object] | None = None,
) -> Figure:
    """Measure a contestant against its floor, until that many rounds were quiet or four times as many were measured.

    `prepare` runs before each call of the contestant, and is not counted; then floors are measured call by call too.
    The quietest rounds count, as many as are wanted.
    """
    alone = None if prepare is None else _nothing
    contestant()
    floor()
    found: list[Round] = []
    while _quiet(found) < rounds and len(found) < MOST * rounds:
        found.append((cpu_us(floor, times, alone), cpu_us(contestant, times, prepare), cpu_us(floor, times, alone)))
    return replace(Figure.of(name, sorted(found, key=_floor)[:rounds], limit=limit), target=target)


def _nothing() -> None:
    """Prepare nothing."""


def _floor(one: Round) -> float:
    """Give the slower floor of a round: what disturbs it disturbs the contestant too, and not to the same part."""
    return max(one[0], one[2])


def _quiet(rounds: Sequence[Round]) -> int:
    """Count the rounds that nothing disturbed."""
    slowest = QUIET * min((min(before, after) for before, _, after in rounds), default=0)
    return sum(_floor(one) <= slowest for one in rounds)
