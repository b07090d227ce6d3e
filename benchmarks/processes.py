"""Two worker processes against one: how much a fleet gains from a second core."""

import statistics
import time
from concurrent.futures import ProcessPoolExecutor

from benchmarks.material import appraise
from benchmarks.rounds import Figure

APPRAISALS = 400  # per worker and round, about a quarter of a second
ROUNDS = 9


def work(times: int) -> float:
    """Appraise `times` times; give the seconds it took, so that starting the pool does not count."""
    start = time.perf_counter()
    for _ in range(times):
        appraise()
    return time.perf_counter() - start


def measure() -> Figure:
    """Measure appraisals a second of two processes over those of one, alternating between the two."""
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(work, [50, 50]))
        ratios, singles, doubles = [], [], []
        for _ in range(ROUNDS):
            single = pool.submit(work, APPRAISALS).result()
            start = time.perf_counter()
            list(pool.map(work, [APPRAISALS, APPRAISALS]))
            double = (time.perf_counter() - start) / 2
            again = pool.submit(work, APPRAISALS).result()
            singles += [single, again]
            doubles.append(double)
            ratios.append((single + again) / 2 / double)
    microseconds = 1e6 / APPRAISALS
    return Figure(
        name="two processes over one, appraisals a second",
        ratio=statistics.median(ratios),
        target=1.9,
        limit=1.9,
        contestant_us=min(doubles) * microseconds,
        floor_us=min(singles) * microseconds,
        at_least=True,
    )
