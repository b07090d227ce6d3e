"""Values in words: nothing that came from outside reaches a terminal, a log or a document as it came."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof.spelling import TEXT_LIMIT, escape, spell, spell_time


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"\x0a\xff", "0aff"),
        (b"", "nothing"),
        ("plain", "plain"),
        ("a\nb\x1b[2J\u202e", "a\\nb\\x1b[2J\\u202e"),
        (7, "7"),
        (datetime(2026, 11, 21, 12, 0, 0, 999, tzinfo=UTC), "2026-11-21T12:00:00Z"),
        (frozenset({b"\x02", b"\x01"}), "one of 01, 02"),
        (frozenset({b"\x02"}), "02"),
        (frozenset(), "none"),
    ],
)
def test_a_value_is_put_into_words(value: object, words: str) -> None:
    assert spell(value) == words


@given(st.text(max_size=400))
def test_escaped_text_is_printable_and_short(text: str) -> None:
    escaped = escape(text)
    assert escaped.isprintable()
    assert len(escaped) <= TEXT_LIMIT + 40
    if text.isprintable() and len(text) <= TEXT_LIMIT:
        assert escaped == text


def test_long_text_is_cut_and_says_how_long_it_was() -> None:
    assert escape("x" * TEXT_LIMIT) == "x" * TEXT_LIMIT
    assert escape("x" * 1_000_000) == "x" * TEXT_LIMIT + "… (1000000 characters)"
    assert escape("abcdef", limit=3) == "abc… (6 characters)"


def test_a_moment_is_spelled_in_utc() -> None:
    moment = datetime(2026, 11, 21, 21, 0, tzinfo=timezone(timedelta(hours=9)))
    assert spell_time(moment.astimezone(UTC)) == "2026-11-21T12:00:00Z"
