"""The owner of the device: rate, queue, fairness, deadlines, and what becomes of those who wait."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import pytest
from tests.agent.machine import QUICK, FakeDevice

from cvmproof_agent.device import Device, DeviceLost
from cvmproof_agent.dispatcher import Dispatcher, RateLimited
from cvmproof_agent.limits import Limits
from cvmproof_agent.metrics import Metrics
from cvmproof_formats.errors import Category, DeviceError


@contextmanager
def dispatching(
    limits: Limits = QUICK, device: FakeDevice | None = None, **told: object
) -> Iterator[Dispatcher[Device]]:
    dispatcher: Dispatcher[Device] = Dispatcher(device or FakeDevice(), limits=limits, **told)  # type: ignore[arg-type]  # as the test says
    try:
        yield dispatcher
    finally:
        dispatcher.close(5)


class Busy:
    """Work that keeps the device until told otherwise."""

    def __init__(self, dispatcher: Dispatcher[Device]) -> None:
        self._entered, self._go_on = threading.Event(), threading.Event()
        self.future = dispatcher.submit(self._work)
        assert self._entered.wait(5)

    def _work(self, _: Device) -> str:
        self._entered.set()
        self._go_on.wait(5)
        return "done"

    def end(self) -> str:
        self._go_on.set()
        return self.future.result(5)


def name_of(device: Device) -> str:
    return device.name


def test_work_is_done_by_one_thread_in_order() -> None:
    with dispatching() as dispatcher:
        order: list[int] = []

        def work(number: int, _: Device) -> int:
            order.append(number)
            return threading.get_ident()

        threads = [dispatcher.submit(partial(work, number)) for number in range(50)]
        assert len({thread.result(5) for thread in threads}) == 1
        assert order == list(range(50))


def test_a_caller_that_may_block_does_the_work_itself_where_nobody_else_waits() -> None:
    with dispatching() as dispatcher:
        here = dispatcher.submit(lambda _: threading.get_ident(), may_block=True)
        assert here.done()
        assert here.result() == threading.get_ident()
        busy = Busy(dispatcher)
        waiting = dispatcher.submit(name_of)
        behind = dispatcher.submit(lambda _: threading.get_ident(), may_block=True)
        assert not behind.done()
        busy.end()
        assert waiting.result(5) == "fake"
        assert behind.result(5) != threading.get_ident()


def test_ac_119_a_caller_that_may_block_takes_tokens_like_any_other() -> None:
    with dispatching(replace(QUICK, reports_per_second=20.0, report_burst=2)) as dispatcher:
        done = [dispatcher.submit(name_of, may_block=True).done() for _ in range(3)]
        assert done == [True, True, False]


def test_two_callers_never_have_the_device_at_once() -> None:
    inside, most = [], []

    def work(_: Device) -> None:
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.002)
        inside.pop()

    with dispatching() as dispatcher:

        def call() -> None:
            for number in range(20):
                dispatcher.submit(work, may_block=number % 2 == 0).result(5)

        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(most) == 80
    assert set(most) == {1}


def test_an_error_of_the_device_reaches_who_asked_and_nobody_else() -> None:
    def fail(_: Device) -> str:
        raise DeviceError("no")

    with dispatching() as dispatcher:
        bad, good = dispatcher.submit(fail), dispatcher.submit(name_of)
        with pytest.raises(DeviceError, match=r"^no$"):
            bad.result(5)
        assert good.result(5) == "fake"


def test_whatever_a_driver_raises_is_a_device_error() -> None:
    def fail(_: Device) -> str:
        raise TimeoutError(110, "Connection timed out")

    with dispatching() as dispatcher, pytest.raises(DeviceError, match=r"failed: TimeoutError.*timed out"):
        dispatcher.submit(fail).result(5)


@pytest.mark.parametrize(
    ("rate", "deadline", "queue"), [(1.0, 45.0, 22), (0.01, 45.0, 1), (1000.0, 45.0, 64), (2.0, 10.0, 10)]
)
def test_the_queue_holds_what_can_be_answered_in_half_a_deadline(rate: float, deadline: float, queue: int) -> None:
    assert Limits(reports_per_second=rate, deadline_seconds=deadline).queue == queue


def test_ac_119_a_full_queue_turns_away_at_once() -> None:
    limits, metrics = replace(QUICK, reports_per_second=4.0, deadline_seconds=2.0), Metrics()
    with dispatching(limits, metrics=metrics) as dispatcher:
        busy = Busy(dispatcher)
        waiting = [dispatcher.submit(name_of) for _ in range(limits.queue)]
        with pytest.raises(RateLimited, match="4 requests wait already") as caught:
            dispatcher.submit(name_of)
        assert caught.value.category is Category.RATE_LIMIT
        assert not busy.future.done()
        assert "requests_shed_total 1\n" in metrics.render()
        assert busy.end() == "done"
        assert [future.result(5) for future in waiting] == ["fake"] * limits.queue


def test_one_network_holds_half_of_the_queue_and_another_still_finds_room() -> None:
    limits = replace(QUICK, reports_per_second=4.0, deadline_seconds=2.0)
    with dispatching(limits) as dispatcher:
        busy = Busy(dispatcher)
        for _ in range(limits.queue_per_network):
            dispatcher.submit(name_of, network="greedy")
        with pytest.raises(RateLimited, match="2 requests of this network wait already"):
            dispatcher.submit(name_of, network="greedy")
        modest = dispatcher.submit(name_of, network="modest")
        busy.end()
        assert modest.result(5) == "fake"
        assert dispatcher.submit(name_of, network="greedy").result(5) == "fake"


def test_cancelled_requests_make_room() -> None:
    limits = replace(QUICK, reports_per_second=4.0, deadline_seconds=2.0)
    with dispatching(limits) as dispatcher:
        busy = Busy(dispatcher)
        waiting = [dispatcher.submit(name_of, network=n) for n in range(limits.queue)]
        assert all(future.cancel() for future in waiting)
        late = dispatcher.submit(name_of)
        busy.end()
        assert late.result(5) == "fake"
        with pytest.raises(CancelledError):
            waiting[0].result(5)


def test_what_can_not_finish_in_time_is_shed_and_not_tried() -> None:
    done = []
    with dispatching() as dispatcher:
        busy = Busy(dispatcher)
        late = dispatcher.submit(lambda _: done.append(1), seconds=0.05)
        time.sleep(0.1)
        busy.end()
        with pytest.raises(RateLimited, match="could not have answered in time"):
            late.result(5)
    assert done == []


def test_a_slow_device_is_remembered_as_slow() -> None:
    with dispatching() as dispatcher:
        for _ in range(3):
            dispatcher.submit(lambda _: time.sleep(0.3)).result(5)
        with pytest.raises(RateLimited, match="could not have answered in time"):
            dispatcher.submit(name_of, seconds=0.1).result(5)


def test_ac_119_the_device_is_asked_no_faster_than_the_rate_after_its_burst() -> None:
    times: list[float] = []
    with dispatching(replace(QUICK, reports_per_second=20.0, report_burst=3)) as dispatcher:
        futures: list[Future[None]] = [dispatcher.submit(lambda _: times.append(time.monotonic())) for _ in range(9)]
        for future in futures:
            future.result(5)
    assert times[2] - times[0] < 0.2
    assert times[8] - times[0] >= 6 / 20 - 0.01


def test_a_lost_device_is_told_once_and_never_asked_again() -> None:
    told = []

    def lose(_: Device) -> str:
        raise DeviceLost("gone")

    with dispatching(lost=lambda: told.append(1)) as dispatcher:
        busy = Busy(dispatcher)
        futures = [dispatcher.submit(lose) for _ in range(3)]
        busy.end()
        for future in futures:
            with pytest.raises(DeviceLost, match="gone"):
                future.result(5)
        with pytest.raises(DeviceLost, match="gone"):
            dispatcher.submit(name_of)
    assert told == [1]


def test_closing_answers_those_who_wait_and_closes_the_device() -> None:
    device = FakeDevice()
    with dispatching(device=device) as dispatcher:
        busy = Busy(dispatcher)
        waiting = dispatcher.submit(name_of)
        dispatcher.close(0)
        with pytest.raises(DeviceError, match="stopping"):
            dispatcher.submit(name_of)
        busy.end()
        with pytest.raises(DeviceError, match="stopping"):
            waiting.result(5)
        assert device.closed.wait(5)
