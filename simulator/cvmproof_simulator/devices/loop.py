"""One thread that waits for everything: descriptors that can be read, and answers whose time has come."""

import heapq
import itertools
import selectors
import time
from collections.abc import Callable
from typing import Final

from cvmproof_simulator.devices.faults import Faults

Action = Callable[[], None]
_FOREVER: Final = 3600.0  # seconds


class Loop:
    """Runs until it is stopped."""

    def __init__(self) -> None:
        """Wait for nothing yet."""
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Action]] = []
        self._numbers = itertools.count()
        self._cancelled: set[int] = set()
        self._stopped = False

    def watch(self, descriptor: int, action: Action) -> None:
        """Do this whenever the descriptor can be read, or its other end is gone."""
        self._selector.register(descriptor, selectors.EVENT_READ, action)

    def unwatch(self, descriptor: int) -> None:
        """Do nothing about it any more."""
        self._selector.unregister(descriptor)

    def later(self, seconds: float, action: Action) -> int:
        """Do this once, so much later; gives a number to cancel it by."""
        number = next(self._numbers)
        heapq.heappush(self._timers, (time.monotonic() + seconds, number, action))
        return number

    def cancel(self, number: int) -> None:
        """Don't do it, where that is not too late."""
        self._cancelled.add(number)

    def stop(self) -> None:
        """End `run` after the action at hand."""
        self._stopped = True

    def run(self) -> None:
        """Wait and act."""
        while not self._stopped:
            for key, _ in self._selector.select(self._patience()):
                action: Action = key.data
                action()
            self._act_in_time()
        self._selector.close()

    def _patience(self) -> float:
        return max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else _FOREVER

    def _act_in_time(self) -> None:
        while self._timers and self._timers[0][0] <= time.monotonic():
            _, number, action = heapq.heappop(self._timers)
            if number in self._cancelled:
                self._cancelled.discard(number)
            else:
                action()


class Queue:
    """A device serves one request after the other: each answer leaves when the time it takes is over."""

    def __init__(self, loop: Loop, faults: Faults) -> None:
        """Take what waits, and what says how long."""
        self.loop = loop
        self._faults = faults
        self._busy_until = 0.0

    def answer(self, send: Action) -> int | None:
        """Send now, or later; gives a number to cancel it by where it is later."""
        owed = self._faults.owed()
        if not owed:
            send()
            return None
        now = time.monotonic()
        self._busy_until = max(now, self._busy_until) + owed
        return self.loop.later(self._busy_until - now, send)
