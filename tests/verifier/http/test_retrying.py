import asyncio
import time

import pytest

from cvmproof.http.retrying import Waits, retrying, retrying_async

WAITS = Waits(attempts=4, deadline=5.0, first=0.001, longest=0.002)


class Failing:
    """Fails as often as it is told to, and counts."""

    def __init__(self, times: int) -> None:
        self.left, self.calls = times, 0

    def __call__(self) -> str:
        self.calls += 1
        self.left -= 1
        if self.left >= 0:
            raise OSError("again")
        return "done"

    async def later(self) -> str:
        return self()


@pytest.mark.parametrize("times", [0, 1, 3])
def test_it_is_tried_until_it_works(times: int) -> None:
    blocking, task = Failing(times), Failing(times)
    assert retrying(WAITS)(lambda _: True, blocking) == "done"
    assert asyncio.run(retrying_async(WAITS)(lambda _: True, task.later)) == "done"
    assert blocking.calls == task.calls == times + 1


def test_it_is_tried_a_bounded_number_of_times() -> None:
    blocking, task = Failing(99), Failing(99)
    with pytest.raises(OSError, match="again"):
        retrying(WAITS)(lambda _: True, blocking)
    with pytest.raises(OSError, match="again"):
        asyncio.run(retrying_async(WAITS)(lambda _: True, task.later))
    assert blocking.calls == task.calls == 4


def test_it_is_not_tried_where_the_hook_says_no() -> None:
    failing = Failing(1)
    with pytest.raises(OSError, match="again"):
        retrying(WAITS)(lambda _: False, failing)
    assert failing.calls == 1


def test_a_wait_that_the_hook_names_is_kept() -> None:
    start = time.monotonic()
    assert retrying(WAITS)(lambda _: 0.2, Failing(1)) == "done"
    assert time.monotonic() - start >= 0.2
