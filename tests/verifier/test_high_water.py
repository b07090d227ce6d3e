"""High-water marks: what is newer, what is older, and whose they are."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof.errors import Misuse
from cvmproof.high_water import HighWater, Mark

DAY = datetime(2026, 11, 1, tzinfo=UTC)
MARK = Mark(number=17, issued=DAY)
marks = st.builds(
    Mark, number=st.integers(0, 30), issued=st.integers(0, 100).map(lambda days: DAY + timedelta(days=days))
)


def test_the_first_of_its_name_is_as_new_as_any() -> None:
    assert not HighWater.nothing("simulated").is_older("a", MARK)


@pytest.mark.parametrize(
    ("mark", "older"),
    [
        (MARK, False),
        (Mark(number=17, issued=DAY - timedelta(seconds=1)), True),
        (Mark(number=17, issued=DAY + timedelta(seconds=1)), False),
        (Mark(number=16, issued=DAY + timedelta(days=9)), True),
        (Mark(number=18, issued=DAY - timedelta(days=9)), False),
    ],
)
def test_the_evaluation_number_counts_before_the_date_ac_043(mark: Mark, older: bool) -> None:
    seen = HighWater.nothing("simulated").raised([("a", MARK)])
    assert seen.is_older("a", mark) is older
    assert not seen.is_older("b", mark)
    assert seen.trust == "simulated"


def test_what_is_not_newer_changes_nothing() -> None:
    seen = HighWater.nothing("simulated").raised([("a", MARK)])
    assert seen.raised([("a", MARK), ("a", Mark(number=1, issued=DAY))]) is seen


@given(st.lists(st.tuples(st.sampled_from("abc"), marks)))
def test_marks_never_fall_whatever_is_seen_and_in_whatever_order(seen: list[tuple[str, Mark]]) -> None:
    water = HighWater.nothing("simulated")
    for one in seen:
        before = water
        water = water.raised([one])
        assert all(water.marks[name] >= mark for name, mark in before.marks.items())
    assert all(not mark > water.marks[name] for name, mark in seen)


def test_marks_of_another_trust_set_are_refused() -> None:
    HighWater.nothing("simulated").require_trust("simulated")
    with pytest.raises(Misuse, match="expected those of production, got those of simulated"):
        HighWater.nothing("simulated").require_trust("production")
