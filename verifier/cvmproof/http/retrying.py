"""Asking again: a bounded number of times, with growing waits that are not the same for every client."""

import logging
from dataclasses import dataclass

import stamina

# What it says of each retry is for whoever configures logging, not for standard error as a last resort.
logging.getLogger("stamina").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """How often and how long, in seconds; a wait is never above `longest`."""

    attempts: int
    deadline: float
    first: float
    longest: float


def retrying(waits: Waits) -> stamina.RetryingCaller:
    """Make what calls a function again as long as its hook says so."""
    return stamina.RetryingCaller(
        attempts=waits.attempts,
        timeout=waits.deadline,
        wait_initial=waits.first,
        wait_max=waits.longest,
        wait_jitter=waits.first,
    )


def retrying_async(waits: Waits) -> stamina.AsyncRetryingCaller:
    """Make what awaits a coroutine function again as long as its hook says so."""
    return stamina.AsyncRetryingCaller(
        attempts=waits.attempts,
        timeout=waits.deadline,
        wait_initial=waits.first,
        wait_max=waits.longest,
        wait_jitter=waits.first,
    )
