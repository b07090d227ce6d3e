"""Levels that were read are those that stand in the file; a look makes what is looked at and nothing else."""

from datetime import UTC, datetime

import pytest

from cvmproof_formats.tdx.read_levels import ReadLevels, ranks_of
from cvmproof_formats.tdx.tcb_level import SvnLevel, svn_of
from cvmproof_formats.tdx.tcb_status import TcbStatus

NEW = datetime(2026, 11, 1, tzinfo=UTC)
HIGH, MIDDLE, LOW = LEVELS = tuple(SvnLevel(isvsvn=svn, tcb_date=NEW, status=TcbStatus.UP_TO_DATE) for svn in (9, 5, 2))


def read(*levels: SvnLevel) -> tuple[ReadLevels[int, SvnLevel], list[int]]:
    """Levels as if they had been read; and the ranks of those that are made, as they are made."""
    made: list[int] = []

    def make(rank: int, texts: tuple[str, ...]) -> SvnLevel:
        made.append(rank)
        return SvnLevel(isvsvn=rank, tcb_date=datetime.fromisoformat(texts[0]), status=TcbStatus(texts[1]))

    texts = [(level.tcb_date.isoformat(), str(level.status)) for level in levels]
    return ReadLevels([level.isvsvn for level in levels], texts, make), made


def test_they_are_a_sequence_of_the_levels() -> None:
    found, _ = read(*LEVELS)
    assert (list(found), len(found), found[1], found[-1]) == ([HIGH, MIDDLE, LOW], 3, MIDDLE, LOW)
    assert (found[1:], found[::-1]) == ((MIDDLE, LOW), (LOW, MIDDLE, HIGH))
    assert MIDDLE in found
    assert repr(found) == repr(LEVELS)
    with pytest.raises(IndexError):
        found[3]


def test_they_equal_what_has_the_same_levels_in_the_same_order() -> None:
    found, _ = read(*LEVELS)
    assert found == LEVELS
    assert found == read(*LEVELS)[0]
    assert hash(found) == hash(LEVELS)
    for other in (LEVELS[::-1], LEVELS[:2], (), read(LOW)[0], 9, None):
        assert found != other


def test_a_level_is_made_when_it_is_looked_at_and_no_other() -> None:
    found, made = read(*LEVELS)
    assert list(ranks_of(found, svn_of)) == [9, 5, 2]
    assert len(found) == 3
    assert made == []
    assert found[1] == MIDDLE
    assert made == [5]


def test_levels_that_were_put_together_are_ranked_one_by_one() -> None:
    assert ranks_of((LOW, HIGH), svn_of) == [2, 9]
    assert ranks_of((), svn_of) == []
