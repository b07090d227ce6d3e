"""How long something may take, and how long a verdict holds."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from cvmproof.clock import require_plausible
from cvmproof_formats.errors import Category, EndpointError


class Deadline:
    """An end of waiting, on a clock that never goes back."""

    def __init__(self, seconds: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Take how many seconds from now."""
        self._seconds, self._monotonic = seconds, monotonic
        self._ends = monotonic() + seconds

    def remaining(self, doing: str) -> float:
        """Give the seconds left; raises EndpointError (UNAVAILABLE) once there are none."""
        left = self._ends - self._monotonic()
        if left <= 0:
            message = f"{doing}: no answer within {self._seconds:.0f} s"
            raise EndpointError(message, category=Category.UNAVAILABLE)
        return left


class Lease:
    """How long a channel may live: until its verdict expires, by the wall clock and by one that never goes back.

    Setting the clock back makes no verdict last longer; setting it forward ends it, as it ends the verdict.
    """

    def __init__(self, until: datetime, *, now: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        """Take when it ends, an aware time, and two clocks."""
        self._until, self._now, self._monotonic = until, now, monotonic
        self._ends = monotonic() + (until - now()).total_seconds()

    def remaining(self) -> float:
        """Give the seconds left; not above zero once it has ended."""
        return min((self._until - self._now()).total_seconds(), self._ends - self._monotonic())


def lease_until(until: datetime) -> Lease:
    """Make a lease on this machine's clocks."""
    return Lease(until, now=wall_clock, monotonic=time.monotonic)


def lease_for(seconds: float) -> Lease:
    """Make a lease of so many seconds from now."""
    return lease_until(wall_clock() + timedelta(seconds=seconds))


def wall_clock() -> datetime:
    """Read the wall clock, UTC; raises CollateralError (EXPIRED) for one that is set to before our release."""
    return require_plausible(datetime.now(UTC))
