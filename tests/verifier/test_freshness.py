"""What is expected of REPORT_DATA is exact, and there is no default."""

import pytest

from cvmproof.freshness import ExpectedNonce, ExpectedReportData
from cvmproof_formats.errors import Category, Misuse


@pytest.mark.parametrize(("kind", "size"), [(ExpectedNonce, 32), (ExpectedReportData, 64)])
def test_ac_063_an_expectation_of_another_length_or_type_is_refused(
    kind: type[ExpectedNonce | ExpectedReportData], size: int
) -> None:
    assert kind(bytes(size))
    for wrong in (
        None,
        b"",
        bytes(size - 1),
        bytes(size + 1),
        "0" * size,
        bytearray(size),
        memoryview(bytes(size)),
        size,
    ):
        with pytest.raises(Misuse, match=f"exactly {size} bytes") as caught:
            kind(wrong)  # type: ignore[arg-type]  # that is the point
        assert caught.value.category is Category.POLICY_INVALID


def test_a_refused_expectation_says_what_it_was_and_what_was_given() -> None:
    with pytest.raises(Misuse, match=r"^expected nonce: exactly 32 bytes, got 31 bytes$"):
        ExpectedNonce(bytes(31))
    with pytest.raises(Misuse, match=r"^expected report data: exactly 64 bytes, got str$"):
        ExpectedReportData("00")  # type: ignore[arg-type]  # that is the point
