"""The host's certificate table: read and built, and every way in which it can lie about itself."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.snp.certificate_table import (
    ARK,
    ASK,
    CERTIFICATES,
    CRL,
    ENTRY_LIMIT,
    ENTRY_SIZE,
    VCEK,
    VLEK,
    TableEntry,
    build_certificate_table,
    read_certificate_table,
)

END = bytes(ENTRY_SIZE)
entries = st.lists(
    st.builds(TableEntry, guid=st.uuids(version=4).map(str), data=st.binary(max_size=40)),
    max_size=5,
    unique_by=lambda entry: entry.guid,
).map(tuple)


def row(guid: str, offset: int, length: int) -> bytes:
    return UUID(guid).bytes + offset.to_bytes(4, "little") + length.to_bytes(4, "little")


def refused(table: bytes, message: str, category: Category = Category.MALFORMED) -> None:
    with pytest.raises(Malformed, match=message) as caught:
        read_certificate_table(table)
    assert caught.value.category is category


@given(entries)
def test_what_is_built_is_read(table: tuple[TableEntry, ...]) -> None:
    assert read_certificate_table(build_certificate_table(table)) == table
    assert read_certificate_table(build_certificate_table(table) + bytes(9)) == table


@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_or_malformed(data: bytes) -> None:
    try:
        read_certificate_table(data)
    except Malformed:
        return


@given(
    st.lists(st.tuples(st.sampled_from(CERTIFICATES), st.integers(0, 200), st.integers(0, 200)), max_size=4),
    st.binary(max_size=90),
)
def test_any_header_gives_only_what_stands_behind_it(rows: list[tuple[str, int, int]], behind: bytes) -> None:
    table = b"".join(row(*each) for each in rows) + END + behind
    try:
        found = read_certificate_table(table)
    except Malformed:
        return
    assert [(entry.guid, entry.data) for entry in found] == [(g, table[o : o + n]) for g, o, n in rows]


def test_an_empty_table_is_a_terminator_alone() -> None:
    assert read_certificate_table(END) == ()
    refused(b"", "an all-zero entry at its end")
    refused(END[:-1], "an all-zero entry at its end")


def test_contents_may_stand_in_any_order_and_have_gaps_of_zeros() -> None:
    table = row(VCEK, 80, 2) + row(ASK, 72, 3) + END + b"abc" + bytes(5) + b"de"
    assert read_certificate_table(table) == (TableEntry(guid=VCEK, data=b"de"), TableEntry(guid=ASK, data=b"abc"))


@pytest.mark.parametrize(
    ("offset", "length"),
    [(0, 4), (24, 4), (47, 4), (48, 5), (49, 4), (52, 1), (48, 0xFFFFFFFF), (0xFFFFFFFF, 4), (0xFFFFFFFF, 0xFFFFFFFF),
     (0xFFFFFFFC, 8), (0x80000000, 0x80000030)],
)  # fmt: skip
def test_ac_010_an_entry_outside_the_table_is_malformed(offset: int, length: int) -> None:
    assert read_certificate_table(row(VCEK, 48, 4) + END + b"abcd")
    refused(row(VCEK, offset, length) + END + b"abcd", "outside 48..52")


@pytest.mark.parametrize("second", [(72, 4), (73, 1), (74, 4), (75, 5)])
def test_ac_010_entries_that_overlap_are_malformed(second: tuple[int, int]) -> None:
    table = row(VCEK, 72, 4) + row(ASK, *second) + END + b"abcdefgh"
    refused(table, "overlaps")
    refused(row(ASK, *second) + row(VCEK, 72, 4) + END + b"abcdefgh", "overlaps")


def test_ac_010_a_guid_that_stands_twice_is_malformed() -> None:
    refused(row(VCEK, 72, 2) + row(VCEK, 74, 2) + END + b"abcd", "stands in it twice")
    unknown = str(UUID(int=1))
    refused(row(unknown, 72, 2) + row(unknown, 74, 2) + END + b"abcd", "stands in it twice")


def test_ac_010_ten_thousand_entries_are_too_many() -> None:
    header = b"".join(row(str(UUID(int=i + 1)), 0, 0) for i in range(10_000))
    refused(header + END, "at most 32 entries", Category.SIZE_LIMIT)
    full = build_certificate_table(tuple(TableEntry(guid=str(UUID(int=i + 1)), data=b"x") for i in range(ENTRY_LIMIT)))
    assert len(read_certificate_table(full)) == ENTRY_LIMIT


@pytest.mark.parametrize("count", [1, 2, 32])
def test_ac_010_a_table_without_terminator_is_malformed(count: int) -> None:
    header = b"".join(row(str(UUID(int=i + 1)), 24 * count, 0) for i in range(count))
    refused(header, "an all-zero entry at its end")
    refused(header + bytes(23), "an all-zero entry at its end")


def test_bytes_that_no_entry_covers_are_zero() -> None:
    refused(row(VCEK, 48, 2) + END + b"ab\x01", "expected zero bytes outside its entries")
    refused(row(VCEK, 50, 2) + END + b"\x01\x00ab", "expected zero bytes outside its entries")
    refused(END + b"\x01", "expected zero bytes outside its entries")


def test_guids_are_in_the_order_in_which_they_are_spelled() -> None:
    assert VCEK.replace("-", "") == row(VCEK, 0, 0)[:16].hex() == "63da758de6644564adc5f4b93be8accd"
    assert len({VCEK, VLEK, ASK, ARK, CRL}) == 5
    assert CRL not in CERTIFICATES
