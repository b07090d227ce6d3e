"""Errors say whose fault it is: their classes, categories and hints."""

import pytest

from cvmproof_formats.errors import (
    Category,
    CollateralError,
    CvmproofError,
    DeviceError,
    EndpointError,
    EvidenceError,
    Malformed,
    Misuse,
)


@pytest.mark.parametrize(
    ("error", "above", "category"),
    [
        (CvmproofError, Exception, Category.INTERNAL),
        (Misuse, ValueError, Category.POLICY_INVALID),
        (EvidenceError, CvmproofError, Category.MALFORMED),
        (Malformed, EvidenceError, Category.MALFORMED),
        (CollateralError, CvmproofError, Category.UNAVAILABLE),
        (EndpointError, CvmproofError, Category.ENDPOINT),
        (DeviceError, CvmproofError, Category.UNAVAILABLE),
    ],
)
def test_an_error_knows_its_category(error: type[CvmproofError], above: type[Exception], category: Category) -> None:
    assert issubclass(error, above)
    assert issubclass(error, CvmproofError)
    assert error("no").category is category
    assert error("no", category=Category.SIZE_LIMIT, hint="cut it").category is Category.SIZE_LIMIT
    assert (str(error("no")), error("no").hint, error("no", hint="cut it").hint) == ("no", "", "cut it")


def test_categories_are_spelled_as_they_are_named() -> None:
    assert all(category.name == category.value for category in Category)
    assert len(Category) == 23
