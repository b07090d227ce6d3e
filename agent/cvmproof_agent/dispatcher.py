"""One thread owns the device; everybody else waits in a short queue, or is turned away at once.

Hosts throttle guest requests, and a driver may block for a minute. So the rate is ours (a token bucket), the queue is
no longer than what can be answered in half a deadline, one network holds at most half of it, and what cannot finish in
time is shed instead of tried. A report is never shared and never kept. security.md section 5.
"""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

from cvmproof_agent.device import Device
from cvmproof_agent.limits import Limits
from cvmproof_agent.metrics import Metrics
from cvmproof_agent.token_bucket import TokenBucket
from cvmproof_formats.errors import Category, CvmproofError, DeviceError

_log = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")
_SMOOTHING = 0.2  # weight of the newest duration


class RateLimited(DeviceError):
    """More was asked for than the device can answer in time; ask later."""

    default_category = Category.RATE_LIMIT


class DeviceLost(DeviceError):
    """The device will answer nothing any more until the guest restarts, such as after the driver gave up its key."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Job(Generic[_Answer]):
    work: Callable[[Device], _Answer]
    network: Hashable
    deadline: float
    future: Future[_Answer]

    def run(self, device: Device) -> None:
        try:
            self.future.set_result(self.work(device))
        except CvmproofError as error:
            self.future.set_exception(error)
        except Exception as error:  # noqa: BLE001 -- whatever a driver does, those who wait hear of it and we go on
            failed = DeviceError(f"the device failed: {type(error).__name__}: {error}")
            failed.__cause__ = error
            self.future.set_exception(failed)


class Dispatcher:
    """The owner of one device; closing it answers what waits with an error and closes the device."""

    def __init__(
        self,
        device: Device,
        *,
        limits: Limits | None = None,
        metrics: Metrics | None = None,
        lost: Callable[[], None] = lambda: None,
    ) -> None:
        """Start the thread; it is the only one that calls the device from now on.

        `lost` is called once, should the device be gone for good.
        """
        self._device, self._limits = device, limits or Limits()
        self._metrics = metrics or Metrics()
        self._tell_lost = lost
        self._changed = threading.Condition()
        self._queue: deque[_Job[object]] = deque()
        self._by_network: Counter[Hashable] = Counter()
        self._closed = False
        self._lost: DeviceLost | None = None
        self._typical = 0.0  # seconds that the device takes
        self._bucket = TokenBucket(
            rate=self._limits.reports_per_second, burst=self._limits.report_burst, now=time.monotonic()
        )
        # A daemon: the driver may block for longer than anybody waits for the process to end.
        self._thread = threading.Thread(target=self._run, name="device", daemon=True)
        self._thread.start()

    def submit(
        self, work: Callable[[Device], _Answer], *, network: Hashable = None, seconds: float | None = None
    ) -> Future[_Answer]:
        """Queue work for the device, for a network that shares the queue fairly, to be answered within `seconds`.

        Cancel the future when nobody waits any more. Raises RateLimited where it could not be answered in time,
        DeviceError where the device is gone; the future raises these too, and what `work` raises.
        """
        allowed = self._limits.deadline_seconds
        deadline = time.monotonic() + (allowed if seconds is None else min(seconds, allowed))
        job = _Job(work=work, network=network, deadline=deadline, future=Future[_Answer]())
        with self._changed:
            self._require_room(job)
            self._queue.append(job)  # type: ignore[arg-type]  # answers of any type wait in one queue
            self._by_network[network] += 1
            self._changed.notify()
        return job.future

    def close(self, seconds: float = 0.0) -> None:
        """Stop; wait that long for a device call under way, which is never interrupted."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(seconds)

    def _require_room(self, job: "_Job[_Answer]") -> None:
        if self._closed:
            raise DeviceError("the agent is stopping")
        if self._lost is not None:
            raise DeviceLost(str(self._lost))
        if len(self._queue) >= self._limits.queue or self._is_greedy(job.network):
            self._forget_cancelled()
        if len(self._queue) >= self._limits.queue:
            self._shed(f"{len(self._queue)} requests wait already")
        if self._is_greedy(job.network):
            self._shed(f"{self._by_network[job.network]} requests of this network wait already")

    def _is_greedy(self, network: Hashable) -> bool:
        return network is not None and self._by_network[network] >= self._limits.queue_per_network

    def _shed(self, why: str) -> None:
        self._metrics.count("cvmproof_agent_requests_shed_total")
        raise RateLimited(f"the device answers {self._limits.reports_per_second:g} requests a second, and {why}")

    def _forget_cancelled(self) -> None:
        for job in [job for job in self._queue if job.future.cancelled()]:
            self._queue.remove(job)
            self._count_out(job)

    def _count_out(self, job: "_Job[object]") -> None:
        self._by_network[job.network] -= 1
        if not self._by_network[job.network]:
            del self._by_network[job.network]

    def _run(self) -> None:
        while (job := self._next()) is not None:
            if job.future.set_running_or_notify_cancel():
                self._answer(job)
        self._device.close()

    def _next(self) -> "_Job[object] | None":
        """Wait for work and for a token; None once closed."""
        with self._changed:
            while not self._closed:
                wait = self._bucket.wait(time.monotonic()) if self._queue else None
                if wait == 0:
                    job = self._queue.popleft()
                    self._count_out(job)
                    return job
                self._changed.wait(wait)
            self._refuse_the_rest()
            return None

    def _refuse_the_rest(self) -> None:
        for job in self._queue:
            if job.future.set_running_or_notify_cancel():
                job.future.set_exception(DeviceError("the agent is stopping"))
        self._queue.clear()

    def _answer(self, job: "_Job[object]") -> None:
        if self._lost is not None:
            job.future.set_exception(DeviceLost(str(self._lost)))
            return
        started = time.monotonic()
        if started + self._typical > job.deadline:
            self._metrics.count("cvmproof_agent_requests_shed_total")
            job.future.set_exception(RateLimited("the device could not have answered in time"))
            return
        self._bucket.take(started)
        job.run(self._device)
        self._note(job, time.monotonic() - started)

    def _note(self, job: "_Job[object]", seconds: float) -> None:
        self._typical += _SMOOTHING * (seconds - self._typical)
        self._metrics.observe("cvmproof_agent_device_seconds", seconds)
        error = job.future.exception()
        if isinstance(error, DeviceLost):
            self._lost = error
            self._tell_lost()
            _log.error("the device is lost until this guest restarts: %s", error)
        elif error is not None:
            self._metrics.count("cvmproof_agent_device_errors_total")
            _log.warning("the device could not answer: %s", error)
