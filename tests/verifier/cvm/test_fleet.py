"""Many CVMs: limits in all and at one host, order, lists that break off, and what is left when somebody stops."""

import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvmproof.cvm.examining import Outcome
from cvmproof.cvm.fleet import Limits, examine_all
from cvmproof.errors import EndpointError, Misuse
from cvmproof.prism.cvm import Cvm

PATIENCE = 10.0  # seconds


def cvms(*hosts: str) -> list[Cvm]:
    return [Cvm(id=f"cvm-{number}", agent_url=f"https://{host}") for number, host in enumerate(hosts)]


class Gauge:
    """Examines nothing, and remembers how many were under way at once."""

    def __init__(self, seconds: float = 0.005) -> None:
        self._lock, self._seconds = threading.Lock(), seconds
        self._at: Counter[str] = Counter()
        self.most, self.most_at_one = 0, 0

    def __call__(self, cvm: Cvm) -> Outcome:
        host = cvm.agent_url or ""
        with self._lock:
            self._at[host] += 1
            self.most = max(self.most, self._at.total())
            self.most_at_one = max(self.most_at_one, self._at[host])
        time.sleep(self._seconds)
        with self._lock:
            self._at[host] -= 1
        return Outcome(cvm=cvm)


@settings(max_examples=20, deadline=None)
@given(
    hosts=st.lists(st.sampled_from(["a.example", "b.example", "c.example"]), max_size=20),
    concurrency=st.integers(1, 6),
    per_host=st.integers(1, 3),
)
def test_every_cvm_is_examined_once_within_the_limits(hosts: list[str], concurrency: int, per_host: int) -> None:
    gauge, listed = Gauge(0.001), cvms(*hosts)
    limits = Limits(concurrency=concurrency, per_host=per_host)
    outcomes = list(examine_all(listed, gauge, limits))
    assert sorted(outcome.cvm.id for outcome in outcomes) == sorted(cvm.id for cvm in listed)
    assert gauge.most <= concurrency
    assert gauge.most_at_one <= per_host


def test_a_busy_host_does_not_hold_up_the_others() -> None:
    release = threading.Event()
    listed = cvms(*["slow.example"] * 5, *["quick.example"] * 5)

    def examine(cvm: Cvm) -> Outcome:
        if "slow" in (cvm.agent_url or ""):
            assert release.wait(PATIENCE)
        return Outcome(cvm=cvm)

    outcomes = examine_all(listed, examine, Limits(concurrency=3, per_host=2))
    first = [next(outcomes).cvm.agent_url for _ in range(5)]
    assert set(first) == {"https://quick.example"}
    release.set()
    assert len(list(outcomes)) == 5


def test_different_hosts_run_at_once() -> None:
    barrier = threading.Barrier(4, timeout=PATIENCE)

    def examine(cvm: Cvm) -> Outcome:
        barrier.wait()
        return Outcome(cvm=cvm)

    listed = cvms("a.example", "b.example", "c.example", "d.example")
    assert len(list(examine_all(listed, examine, Limits(concurrency=4, per_host=1)))) == 4


def test_a_cvm_without_an_agent_takes_no_hosts_place() -> None:
    barrier = threading.Barrier(3, timeout=PATIENCE)

    def examine(cvm: Cvm) -> Outcome:
        barrier.wait()
        return Outcome(cvm=cvm)

    listed = [Cvm(id=f"cvm-{number}") for number in range(3)]
    assert len(list(examine_all(listed, examine, Limits(concurrency=3, per_host=1)))) == 3


def test_what_breaks_the_list_off_is_said_after_what_was_listed() -> None:
    def broken() -> Iterator[Cvm]:
        yield from cvms("a.example", "b.example")
        raise EndpointError("the list broke off")

    outcomes = examine_all(broken(), Gauge(), Limits())
    assert len([next(outcomes), next(outcomes)]) == 2
    with pytest.raises(EndpointError, match="broke off"):
        next(outcomes)


def test_the_list_is_read_only_as_far_ahead_as_there_is_work() -> None:
    read = []

    def listed() -> Iterator[Cvm]:
        for cvm in cvms(*["a.example"] * 1000):
            read.append(cvm)
            yield cvm

    outcomes = examine_all(listed(), Gauge(0), Limits(concurrency=2, per_host=2))
    next(outcomes)
    assert len(read) < 50
    outcomes.close()


def test_whoever_stops_early_waits_for_those_under_way_and_starts_no_more() -> None:
    seen = []

    def examine(cvm: Cvm) -> Outcome:
        seen.append(cvm.id)
        time.sleep(0.01)
        return Outcome(cvm=cvm)

    outcomes = examine_all(cvms(*["a.example"] * 100), examine, Limits(concurrency=4, per_host=4))
    next(outcomes)
    outcomes.close()
    stopped = len(seen)
    assert stopped < 20
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("cvm")]


@pytest.mark.parametrize(("concurrency", "per_host"), [(0, 1), (1, 0), (-1, 4)])
def test_less_than_one_at_once_is_refused(concurrency: int, per_host: int) -> None:
    with pytest.raises(Misuse, match="expected 1 or more"):
        Limits(concurrency=concurrency, per_host=per_host)
