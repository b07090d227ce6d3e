from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cvmproof.http.retry_after import read_http_date, read_retry_after

NOW = datetime(2026, 10, 21, 7, 28, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("9999999999", 9_999_999_999.0),
        ("Wed, 21 Oct 2026 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2026 07:00:00 GMT", 0.0),
        ("Wednesday, 21-Oct-26 07:28:30 GMT", 30.0),
    ],
)
def test_seconds_and_dates_are_read(value: str, seconds: float) -> None:
    assert read_retry_after(value, NOW) == seconds


@pytest.mark.parametrize(
    "value", ["", "-1", "1.5", "+1", "1 ", "99999999999", "\u0665", "soon", "Wed, 21 Oct 2026", "2026-10-21"]
)
def test_anything_else_is_none(value: str) -> None:
    assert read_retry_after(value, NOW) is None


def test_a_date_without_a_time_to_count_from_is_none() -> None:
    assert read_retry_after("Wed, 21 Oct 2026 07:28:30 GMT", None) is None
    assert read_retry_after("5", None) == 5.0


@given(st.text() | st.text(alphabet="0123456789 ,:+-GMTWedOct").map("Wed, 21 Oct 2026 ".__add__))
@example("Mon, 01 Jan 2020 00:00:00 +99999999999999999")
@example("Mon, 01 Jan 99999999999999999999 00:00:00 GMT")
@example("Wed, 21 Oct 2026 07:28:30 -0000")
def test_any_text_is_a_wait_or_none(value: str) -> None:
    wait, moment = read_retry_after(value, NOW), read_http_date(value)
    assert wait is None or wait >= 0
    assert moment is None or moment.utcoffset() is not None
    assert moment is None or moment - NOW < timedelta.max
