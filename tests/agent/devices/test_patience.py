"""A busy device is asked again with pauses, never in a tight loop, and to a bound."""

import time
from collections.abc import Iterator

import pytest

from cvmproof_agent.devices.patience import Patience


class Clock:
    """Time that passes only while somebody sleeps, or works for as long as a test says."""

    def __init__(self) -> None:
        self.now, self.pauses = 0.0, list[float]()

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    made = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: made.now)
    monkeypatch.setattr(time, "sleep", made.sleep)
    yield made
    monkeypatch.undo()


def test_ac_120_pauses_double_up_to_the_longest_and_end(clock: Clock) -> None:
    tries = list(Patience(total=10, first=0.5, longest=2).tries())
    assert tries == [0, 0.5, 1.5, 3.5, 5.5, 7.5, 9.5]
    assert clock.pauses == [0.5, 1, 2, 2, 2, 2]


def test_ac_120_the_default_asks_a_busy_host_no_more_often_than_the_driver_does(clock: Clock) -> None:
    list(Patience(first=2.0).tries())
    assert set(clock.pauses) == {2.0}
    assert clock.now <= 65


def test_the_first_try_comes_at_once_whatever_the_bound(clock: Clock) -> None:
    assert list(Patience(total=0).tries()) == [0]
    assert clock.pauses == []


def test_ac_120_a_try_that_took_all_the_time_is_the_last(clock: Clock) -> None:
    seen = []
    for elapsed in Patience().tries():
        seen.append(elapsed)
        clock.now += 64.9
    assert seen == [0]
    assert clock.pauses == []
