"""What an API says of CVMs, drawn."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof.prism.cvm import Cvm, CvmStat
from cvmproof.prism.document import SampleDocument, record_document, sample_documents
from cvmproof.rendering.cvms import cvm_fields, cvm_table, online_line, online_table
from cvmproof.rendering.terminal import Terminal

PLAIN = Terminal(fancy=False)
BEGIN = datetime(2026, 9, 1, tzinfo=UTC)


def samples(online: list[bool]) -> list[SampleDocument]:
    return sample_documents(
        CvmStat(id=str(number), cvm_id="c", timestamp=BEGIN + timedelta(hours=number), online=one)
        for number, one in enumerate(online)
    )


def test_what_the_api_does_not_say_is_a_dash() -> None:
    line = cvm_table([record_document(Cvm(id="c"))], PLAIN, None).splitlines()[1]
    assert line.split() == ["c", *["-"] * 7]
    assert cvm_fields(record_document(Cvm(id="c"))).count(" -\n") == 14


def test_an_unknown_platform_stays_what_it_is() -> None:
    record = record_document(Cvm(id="c", cc_platform="arm-cca", deleted_at=BEGIN))
    assert (record["tee"], record["deleted_at"]) == (None, "2026-09-01T00:00:00Z")
    assert "arm-cca\n" in cvm_fields(record)
    assert "deleted" in cvm_table([record], PLAIN, None)


def test_another_spelling_of_a_platform_is_shown_beside_its_name() -> None:
    assert "tdx (as sent: Intel TDX)" in cvm_fields(record_document(Cvm(id="c", cc_platform="Intel TDX")))


@pytest.mark.parametrize(
    ("online", "width", "line"),
    [
        ([True, False], None, "#."),
        ([True] * 4 + [False] * 4, 4, "##.."),
        ([True, False] * 4, 4, "++++"),
        ([True] * 1000, None, "#" * 72),
        ([False], 1, "."),
    ],
)
def test_many_samples_share_a_mark(online: list[bool], width: int | None, line: str) -> None:
    assert online_line(samples(online), width) == line


@given(st.lists(st.booleans(), min_size=1, max_size=300), st.integers(1, 100))
def test_a_line_shows_every_sample_and_fits(online: list[bool], width: int) -> None:
    line = online_line(samples(online), width)
    assert len(line) == min(len(online), width)
    assert ("." in line or "+" in line) is (False in online)
    assert ("#" in line or "+" in line) is (True in online)


def test_samples_are_put_in_order() -> None:
    later, earlier = samples([True, False])[::-1]
    swapped = sample_documents(
        CvmStat(id=one["id"], cvm_id="c", timestamp=datetime.fromisoformat(one["timestamp"]), online=one["online"])
        for one in (later, earlier)
    )
    assert swapped == [earlier, later]


def test_equal_samples_in_a_row_are_one_run() -> None:
    head, newest, oldest = online_table(samples([True, True, False]), PLAIN, None).splitlines()
    assert head.split() == ["STATUS", "FROM", "TO", "SAMPLES"]
    assert newest.split()[::3] == ["offline", "1"]
    assert oldest.split()[::3] == ["online", "2"]
