"""Single values of a policy: how each kind is read, and that nothing else is."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof.policy.values import (
    ANY,
    CHOICES_LIMIT,
    Demand,
    choice,
    day,
    dotted,
    hexadecimal,
    integer,
    or_any,
    refuse_unknown,
    set_of,
    set_or_none,
    table,
    text,
)
from cvmproof_formats.errors import Misuse


@pytest.mark.parametrize("value", [1, 5, 10])
def test_an_integer_in_range_is_read(value: int) -> None:
    assert integer(1, 10)(value, "here") == value


@pytest.mark.parametrize("value", [0, 11, True, 1.0, "1", None])
def test_anything_else_is_no_integer(value: object) -> None:
    with pytest.raises(Misuse, match="here: expected an integer from 1 to 10, got"):
        integer(1, 10)(value, "here")


def test_any_is_a_word_of_its_own() -> None:
    assert or_any(integer(0, 9))("any", "here") is ANY
    assert or_any(integer(0, 9))(7, "here") == 7
    assert str(ANY) == "any"
    with pytest.raises(Misuse, match="an integer"):
        or_any(integer(0, 9))("Any", "here")


def test_a_choice_is_one_of_its_names_exactly() -> None:
    assert choice(Demand)("required", "here") is Demand.REQUIRED
    for wrong in ("Required", "", True, None, ["required"]):
        with pytest.raises(Misuse, match="one of required, forbidden, any"):
            choice(Demand)(wrong, "here")


def test_a_choice_may_be_of_some_names() -> None:
    some = choice([Demand.REQUIRED, Demand.ANY])
    assert some("any", "here") is Demand.ANY
    with pytest.raises(Misuse, match="one of required, any, got"):
        some("forbidden", "here")


@given(st.dates())
def test_a_date_is_read_as_it_is_written(value: date) -> None:
    assert day(value.isoformat(), "here") == value


@given(st.text("0123456789-W", max_size=10))
def test_a_date_has_one_spelling(value: str) -> None:
    try:
        found = day(value, "here")
    except Misuse:
        return
    assert found.isoformat() == value


def test_none_is_the_empty_set_where_it_is_allowed() -> None:
    assert set_or_none(integer(0, 9))("none", "here") == frozenset()
    assert set_or_none(integer(0, 9))([1, 2], "here") == {1, 2}
    for wrong in (list[object](), "any", None):
        with pytest.raises(Misuse, match="a list of 1 to"):
            set_or_none(integer(0, 9))(wrong, "here")


def test_a_list_names_the_item_that_is_wrong() -> None:
    with pytest.raises(Misuse, match=r"here\[1\]: expected an integer"):
        set_of(integer(0, 9))([1, 10], "here")
    with pytest.raises(Misuse, match=f"1 to {CHOICES_LIMIT}"):
        set_of(integer(0, 1 << 32))(list(range(CHOICES_LIMIT + 1)), "here")


@pytest.mark.parametrize("value", ["00" * 4, "0A0b0C0", "0a0b0c0d0e", "", None, b"\x01\x02\x03\x04", 16])
def test_hexadecimal_is_exactly_so_many_bytes_and_not_zero(value: object) -> None:
    with pytest.raises(Misuse, match="here"):
        hexadecimal(4)(value, "here")
    assert hexadecimal(4)("0A0b0C0d", "here") == b"\x0a\x0b\x0c\x0d"


def test_zero_is_a_value_only_where_it_may_be_one() -> None:
    assert hexadecimal(4, zero=True)("00000000", "here") == bytes(4)
    with pytest.raises(Misuse, match="4 bytes that are not all zero"):
        hexadecimal(4)("00000000", "here")
    with pytest.raises(Misuse, match="here"):
        hexadecimal(4, zero=True)("000000", "here")


@pytest.mark.parametrize("value", ["", "x" * 201, "\n", "\u202e", 1, None])
def test_text_is_printable_and_not_long(value: object) -> None:
    with pytest.raises(Misuse, match="1 to 200 printable characters"):
        text(value, "here")
    assert text("x" * 200, "here") == "x" * 200


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_a_dotted_version_is_read_as_it_is_written(numbers: tuple[int, int, int]) -> None:
    assert dotted(3)(".".join(map(str, numbers)), "here") == numbers


@given(st.text(max_size=12))
def test_a_dotted_version_has_one_spelling(value: str) -> None:
    try:
        numbers = dotted(2)(value, "here")
    except Misuse:
        return
    assert ".".join(map(str, numbers)) == value


def test_a_table_has_the_names_it_has() -> None:
    read = table(("a", "b"), integer(0, 9))
    assert dict(read({"b": 1, "a": 2}, "here")) == {"b": 1, "a": 2}
    with pytest.raises(Misuse, match="here: b missing"):
        read({"a": 1}, "here")
    with pytest.raises(Misuse, match="here: c is not known; expected a, b"):
        read({"a": 1, "b": 1, "c": 1}, "here")
    for wrong in (dict[str, object](), list[object](), None, "any"):
        with pytest.raises(Misuse, match="a table with a, b"):
            read(wrong, "here")
    assert dict(table(("a", "b"), integer(0, 9), complete=False)({"a": 1}, "here")) == {"a": 1}


def test_an_unknown_name_is_escaped_before_it_is_shown() -> None:
    with pytest.raises(Misuse, match=r"\\x1b\[2J is not known"):
        refuse_unknown({"\x1b[2J": 1}, ("a",), "here")


def test_a_wrong_value_is_shown_escaped_and_cut() -> None:
    with pytest.raises(Misuse) as caught:
        integer(0, 1)("\x1b" * 5000, "here")
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 400
