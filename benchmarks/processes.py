"""Two worker processes against one: how much a fleet gains from a second core."""

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

from benchmarks.material import appraise, bare_report_signature
from benchmarks.rounds import Figure

CALLS = 800  # per worker and round, about half a second
ROUNDS = 9
_BARE = bare_report_signature()


def appraise_for(times: int) -> float:
    """Appraise `times` times; give the seconds it took, so that starting the pool does not count."""
    return _seconds(appraise, times)


def check_for(times: int) -> float:
    """Check the bare signature `times` times: what a second process is worth on this machine."""
    return _seconds(_BARE, times)


def measure() -> list[Figure]:
    """Measure what two processes do in a second over what one does, alternating between the two."""
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(appraise_for, [50, 50]))
        return [
            _figure(pool, appraise_for, "two processes over one, appraisals a second", 1.9),
            _figure(pool, check_for, "two processes over one, bare P-384 verifications a second", None),
        ]


def _figure(pool: ProcessPoolExecutor, work: Callable[[int], float], name: str, target: float | None) -> Figure:
    ratios, singles, doubles = [], [], []
    for _ in range(ROUNDS):
        single = pool.submit(work, CALLS).result()
        start = time.perf_counter()
        list(pool.map(work, [CALLS, CALLS]))
        double = (time.perf_counter() - start) / 2
        again = pool.submit(work, CALLS).result()
        singles += [single, again]
        doubles.append(double)
        ratios.append((single + again) / 2 / double)
    return Figure(
        name=name,
        ratio=statistics.median(ratios),
        target=target,
        limit=target,
        contestant_us=min(doubles) * 1e6 / CALLS,
        floor_us=min(singles) * 1e6 / CALLS,
        at_least=True,
    )


def _seconds(run: Callable[[], object], times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        run()
    return time.perf_counter() - start
