"""How long a service asks to be left alone: Retry-After, as seconds or as a date (RFC 9110 section 10.2.3)."""

import re
from datetime import datetime
from email.utils import parsedate_to_datetime

_SECONDS = re.compile(r"[0-9]{1,10}", re.ASCII)  # delay-seconds; ten digits are 300 years


def read_retry_after(value: str, now: datetime | None) -> float | None:
    """Give the seconds to wait, never below zero; None for what the RFC does not know.

    A date counts from `now`, an aware time; without one, dates are not understood.
    """
    if _SECONDS.fullmatch(value):
        return float(value)
    until = read_http_date(value)
    return None if until is None or now is None else max((until - now).total_seconds(), 0.0)


def read_http_date(value: str) -> datetime | None:
    """Read an HTTP date (RFC 9110 section 5.6.7) as an aware time; None for anything else."""
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return None if moment.tzinfo is None else moment
