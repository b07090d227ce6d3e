"""TCB evaluation data numbers: exactly version 1 for TDX, or Malformed."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.tdx.evaluation_numbers import (
    EvaluationNumber,
    EvaluationNumbers,
    build_evaluation_numbers,
    read_evaluation_numbers,
)

ISSUED = datetime(2026, 1, 31, 12, tzinfo=UTC)
NUMBERS = EvaluationNumbers(
    issue_date=ISSUED,
    next_update=ISSUED + timedelta(days=30),
    numbers=tuple(
        EvaluationNumber(number=number, recovery_event_date=ISSUED - ago, tcb_date=ISSUED - ago)
        for number, ago in ((20, timedelta(days=90)), (19, timedelta(days=180)))
    ),
)
BODY = build_evaluation_numbers(NUMBERS)


def refused(body: bytes, match: str, category: Category = Category.MALFORMED) -> None:
    with pytest.raises(Malformed, match=match) as caught:
        read_evaluation_numbers(body)
    assert caught.value.category is category


def test_what_is_written_is_read_back() -> None:
    assert read_evaluation_numbers(BODY) == NUMBERS
    assert BODY == (
        b'{"id":"TDX","version":1,"issueDate":"2026-01-31T12:00:00Z","nextUpdate":"2026-03-02T12:00:00Z",'
        b'"tcbEvalNumbers":[{"tcbEvaluationDataNumber":20,"tcbRecoveryEventDate":"2025-11-02T12:00:00Z",'
        b'"tcbDate":"2025-11-02T12:00:00Z"},{"tcbEvaluationDataNumber":19,'
        b'"tcbRecoveryEventDate":"2025-08-04T12:00:00Z","tcbDate":"2025-08-04T12:00:00Z"}]}'
    )


def test_ac_037_numbers_of_sgx_are_not_of_tdx() -> None:
    refused(BODY.replace(b'"TDX"', b'"SGX"'), "id: expected 'TDX', got 'SGX'", Category.COLLATERAL_MISMATCH)


def test_another_version_or_name_is_not_supported() -> None:
    refused(BODY.replace(b'"version":1', b'"version":2'), "version: expected 1, got 2", Category.UNSUPPORTED)
    refused(BODY.replace(b'"version":1', b'"version":1,"x":1'), "'x' is not known here", Category.UNSUPPORTED)
    refused(BODY.replace(b'"tcbDate"', b'"x":1,"tcbDate"', 1), "'x' is not known here", Category.UNSUPPORTED)


@pytest.mark.parametrize(
    "name",
    [
        "id",
        "version",
        "issueDate",
        "nextUpdate",
        "tcbEvalNumbers",
        "tcbEvaluationDataNumber",
        "tcbRecoveryEventDate",
        "tcbDate",
    ],
)
def test_every_name_is_needed(name: str) -> None:
    refused(BODY.replace(f'"{name}":'.encode(), b'"x":', 1), f"expected {name}, got none")


def test_a_number_stands_there_once_and_there_is_one_at_least() -> None:
    refused(build_evaluation_numbers(replace(NUMBERS, numbers=NUMBERS.numbers[:1] * 2)), "entries that differ")
    refused(build_evaluation_numbers(replace(NUMBERS, numbers=())), "expected 1 to 256 entries, got 0")
    many = tuple(replace(NUMBERS.numbers[0], number=number) for number in range(257))
    refused(build_evaluation_numbers(replace(NUMBERS, numbers=many)), "got 257", Category.SIZE_LIMIT)


@pytest.mark.parametrize("wrong", ["-1", "1.0", '"1"', "true", "null", "4294967296", "[]"])
def test_ac_040_a_number_is_an_integer(wrong: str) -> None:
    refused(BODY.replace(b'Number":20', f'Number":{wrong}'.encode()), "tcbEvaluationDataNumber: expected")


def test_numbers_cut_short_are_refused_at_every_length() -> None:
    for size in range(len(BODY)):
        with pytest.raises(Malformed):
            read_evaluation_numbers(BODY[:size])


@given(at=st.integers(0, len(BODY) - 1), value=st.binary(max_size=3), size=st.integers(0, 3))
def test_any_change_gives_numbers_or_malformed(at: int, value: bytes, size: int) -> None:
    with suppress(Malformed):
        read_evaluation_numbers(BODY[:at] + value + BODY[at + size :])
