"""One caller at a time has the device; everybody else waits in a short queue, or is turned away at once.

Hosts throttle guest requests, and a driver may block for a minute. So the rate is ours (a token bucket), the queue is
no longer than what can be answered in half a deadline, one network holds at most half of it, and what cannot finish in
time is shed instead of tried. A report is never shared and never kept. security.md section 5.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Generic, Protocol, TypeVar

from cvmproof_agent.device import DeviceLost
from cvmproof_agent.limits import Limits
from cvmproof_agent.metrics import Metrics
from cvmproof_agent.token_bucket import TokenBucket
from cvmproof_formats.errors import Category, CvmproofError, DeviceError

_log = logging.getLogger(__name__)


class _Closable(Protocol):
    def close(self) -> None: ...


_Device = TypeVar("_Device", bound=_Closable)
_Answer = TypeVar("_Answer")
_SMOOTHING = 0.2  # weight of the newest duration


class RateLimited(DeviceError):
    """More was asked for than the device can answer in time; ask later."""

    default_category = Category.RATE_LIMIT


@dataclass(slots=True, kw_only=True, eq=False)
class _Job(Generic[_Device, _Answer]):
    work: Callable[[_Device], _Answer]
    network: Hashable
    deadline: float
    future: Future[_Answer]


class Dispatcher(Generic[_Device]):
    """Has one device, or who answers for it; closing it answers what waits with an error and closes the device."""

    def __init__(
        self,
        device: _Device,
        *,
        limits: Limits | None = None,
        metrics: Metrics | None = None,
        lost: Callable[[], None] = lambda: None,
    ) -> None:
        """Start the thread that serves the queue; the device is called through here only from now on.

        `lost` is called once, should the device be gone for good.
        """
        self._device, self._limits = device, limits or Limits()
        self._metrics = metrics or Metrics()
        self._tell_lost = lost
        self._lock = threading.Lock()  # over what is counted as waiting
        self._turn = threading.Lock()  # whose it is has the device and the bucket; with the other held only tried
        self._waiting: set[_Job[_Device, object]] = set()
        self._by_network: Counter[Hashable] = Counter()
        self._queue: SimpleQueue[_Job[_Device, object] | None] = SimpleQueue()
        self._closed = threading.Event()
        self._lost: DeviceLost | None = None
        self._typical = 0.0  # seconds that the device takes
        self._bucket = TokenBucket(
            rate=self._limits.reports_per_second, burst=self._limits.report_burst, now=time.monotonic()
        )
        # A daemon: the driver may block for longer than anybody waits for the process to end.
        self._thread = threading.Thread(target=self._run, name="device", daemon=True)
        self._thread.start()

    def submit(
        self,
        work: Callable[[_Device], _Answer],
        *,
        network: Hashable = None,
        seconds: float | None = None,
        may_block: bool = False,
    ) -> Future[_Answer]:
        """Queue work for the device, for a network that shares the queue fairly, to be answered within `seconds`.

        Where nobody else has the device or waits for it, and the caller may block for as long as the driver does, the
        work is done in the caller's thread: handing it over and back would cost as much again as the work.
        Cancel the future when nobody waits any more. Raises RateLimited where it could not be answered in time,
        DeviceError where the device is gone; the future raises these too, and what `work` raises.
        """
        allowed = self._limits.deadline_seconds
        deadline = time.monotonic() + (allowed if seconds is None else min(seconds, allowed))
        job = _Job(work=work, network=network, deadline=deadline, future=Future[_Answer]())
        self._accept(job, may_block=may_block)  # type: ignore[arg-type]  # answers of any type wait in one queue
        return job.future

    def close(self, seconds: float = 0.0) -> None:
        """Stop; wait that long for a device call under way, which is never interrupted."""
        with self._lock:
            self._closed.set()
            self._queue.put(None)
        self._thread.join(seconds)

    def _accept(self, job: "_Job[_Device, object]", *, may_block: bool) -> None:
        with self._lock:
            if self._closed.is_set():
                raise DeviceError("the agent is stopping")
            if self._lost is not None:
                raise DeviceLost(str(self._lost))
            at_once = may_block and not self._waiting and self._take_turn()
            if not at_once:
                self._require_room(job.network)
                self._waiting.add(job)
                self._by_network[job.network] += 1
                self._queue.put(job)
        if at_once:
            try:
                job.future.set_running_or_notify_cancel()
                self._answer(job)
            finally:
                self._turn.release()

    def _take_turn(self) -> bool:
        """Take the device if nobody has it and there is a token."""
        if not self._turn.acquire(blocking=False):
            return False
        if self._bucket.wait(time.monotonic()) == 0:
            return True
        self._turn.release()
        return False

    def _require_room(self, network: Hashable) -> None:
        if self._is_full() or self._is_greedy(network):
            for job in [job for job in self._waiting if job.future.cancelled()]:
                self._count_out(job)
        if self._is_full():
            self._shed(f"{len(self._waiting)} requests wait already")
        if self._is_greedy(network):
            self._shed(f"{self._by_network[network]} requests of this network wait already")

    def _is_full(self) -> bool:
        return len(self._waiting) >= self._limits.queue

    def _is_greedy(self, network: Hashable) -> bool:
        return network is not None and self._by_network[network] >= self._limits.queue_per_network

    def _shed(self, why: str) -> None:
        self._metrics.count("cvmproof_agent_requests_shed_total")
        raise RateLimited(f"the device answers {self._limits.reports_per_second:g} requests a second, and {why}")

    def _count_out(self, job: "_Job[_Device, object]") -> None:
        if job in self._waiting:
            self._waiting.remove(job)
            self._by_network[job.network] -= 1
            if not self._by_network[job.network]:
                del self._by_network[job.network]

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            with self._turn:
                if not job.future.cancelled():
                    self._await_token()
                with self._lock:
                    self._count_out(job)
                if job.future.set_running_or_notify_cancel():
                    self._answer(job)
        with self._turn:
            self._device.close()

    def _await_token(self) -> None:
        """Return once there is a token, or at once when closed."""
        while (seconds := self._bucket.wait(time.monotonic())) and not self._closed.wait(seconds):
            pass

    def _answer(self, job: "_Job[_Device, object]") -> None:
        started = time.monotonic()
        if self._closed.is_set():
            job.future.set_exception(DeviceError("the agent is stopping"))
        elif self._lost is not None:
            job.future.set_exception(DeviceLost(str(self._lost)))
        elif started + self._typical > job.deadline:
            self._metrics.count("cvmproof_agent_requests_shed_total")
            job.future.set_exception(RateLimited("the device could not have answered in time"))
        else:
            self._bucket.take(started)
            self._ask(job)

    def _ask(self, job: "_Job[_Device, object]") -> None:
        started, answer = time.monotonic(), None
        failure: CvmproofError | None = None
        try:
            answer = job.work(self._device)
        except CvmproofError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 -- whatever a driver does, those who wait hear of it and we go on
            failure = DeviceError(f"the device failed: {type(error).__name__}: {error}")
            failure.__cause__ = error
        self._note(failure, time.monotonic() - started)
        # Last of all: who waits is awake from here on, and should not have to wait for this thread to be done.
        if failure is None:
            job.future.set_result(answer)
        else:
            job.future.set_exception(failure)

    def _note(self, failure: CvmproofError | None, seconds: float) -> None:
        self._typical += _SMOOTHING * (seconds - self._typical)
        self._metrics.observe("cvmproof_agent_device_seconds", seconds)
        if isinstance(failure, DeviceLost):
            self._lost = failure
            self._tell_lost()
            _log.error("the device is lost until this guest restarts: %s", failure)
        elif failure is not None:
            self._metrics.count("cvmproof_agent_device_errors_total")
            _log.warning("the device could not answer: %s", failure)
