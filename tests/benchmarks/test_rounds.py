"""Rounds count where nothing disturbed their floor, and there is an end to them."""

import time
from collections.abc import Callable, Iterator
from itertools import chain, count, repeat

import pytest
from benchmarks import rounds
from benchmarks.rounds import MOST, Figure, cpu_us, paired


def measuring(times: Iterator[float], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let what is measured take these times, one after the other; give what was measured."""
    measured: list[str] = []

    def cpu_us(run: Callable[[], object], _: int, prepare: Callable[[], object] | None = None) -> float:
        measured.append(f"{run()}, prepared" if prepare is get_ready else f"{run()}")
        return next(times)

    monkeypatch.setattr(rounds, "cpu_us", cpu_us)
    return measured


def get_ready() -> None:
    """Before each call of the contestant."""


def figure(wanted: int) -> Figure:
    return paired("x", lambda: "contestant", lambda: "floor", target=1.5, limit=2, rounds=wanted, prepare=get_ready)


def test_a_round_is_floor_contestant_and_floor_again(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = measuring(iter([100, 150, 102]), monkeypatch)
    found = figure(1)
    assert measured == ["floor", "contestant, prepared", "floor"]
    assert (found.ratio, found.contestant_us, found.floor_us) == (300 / 202, 150, 100)
    assert (found.target, found.limit, found.met) == (1.5, 2, "target met")


def show(times: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clock show these times, in nanoseconds, one at each look."""
    monkeypatch.setattr(time, "thread_time_ns", iter(times).__next__)


def test_calls_that_are_prepared_count_by_their_median(monkeypatch: pytest.MonkeyPatch) -> None:
    show([0, 1000, 5000, 7000, 10_000, 90_000], monkeypatch)
    done: list[str] = []
    assert cpu_us(lambda: done.append("run"), 3, lambda: done.append("ready")) == 2
    assert done == ["ready", "run"] * 3


def test_calls_that_are_not_prepared_count_by_their_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    show([1000, 13_000], monkeypatch)
    done: list[str] = []
    assert cpu_us(lambda: done.append("run"), 3) == 4
    assert done == ["run"] * 3


@pytest.mark.parametrize(("prepare", "looks"), [(None, 2), (get_ready, 2 * 5)])
def test_a_floor_is_measured_as_its_contestant_is(
    prepare: Callable[[], None] | None, looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = count()
    monkeypatch.setattr(time, "thread_time_ns", clock.__next__)
    paired("x", str, str, target=1, limit=1, rounds=1, times=5, prepare=prepare)
    assert next(clock) == 3 * looks


def test_a_round_with_a_slow_floor_does_not_count_and_another_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    quiet, before, after = (100, 140, 100), (106, 250, 100), (100, 250, 106)
    measured = measuring(chain(before, quiet, after, quiet), monkeypatch)
    assert figure(2).ratio == 1.4
    assert len(measured) == 3 * 4


def test_what_was_quiet_is_told_by_the_quickest_floor_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    measuring(chain((200, 500, 200), (100, 140, 100), (100, 160, 100)), monkeypatch)
    assert figure(2).ratio == 1.5


def test_rounds_end_where_it_is_never_quiet_and_the_quietest_count(monkeypatch: pytest.MonkeyPatch) -> None:
    quietest = (100, 300, 200)
    measured = measuring(chain(quietest, quietest, chain.from_iterable(repeat((100, 200, 300)))), monkeypatch)
    assert figure(3).ratio == 2.0
    assert len(measured) == 3 * 3 * MOST
