"""Paired rounds: floor, contestant, floor, on the CPU clock, again and again; the median of the ratios counts."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

NANOSECONDS_PER_MICROSECOND = 1000

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
    """Measure the CPU time of one call in microseconds, averaged over `times` calls; `prepare` runs before each."""
    if prepare is not None:
        return sum(_once(run, prepare) for _ in range(times)) / times / NANOSECONDS_PER_MICROSECOND
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
    """Measure a contestant against its floor; `prepare` runs before each call of it, and is not counted."""
    ratios, contestants, floors = [], [], []
    contestant()
    floor()
    for _ in range(rounds):
        before, found, after = cpu_us(floor, times), cpu_us(contestant, times, prepare), cpu_us(floor, times)
        ratios.append(2 * found / (before + after))
        contestants.append(found)
        floors += [before, after]
    return Figure(
        name=name,
        ratio=statistics.median(ratios),
        target=target,
        limit=limit,
        contestant_us=min(contestants),
        floor_us=min(floors),
    )
