"""Which CPU belongs to which product line and silicon line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.snp.product import PARTS, ProductLine, part_of_cpuid, parts_of

bytes_ = st.integers(0, 255)


@pytest.mark.parametrize(
    ("cpuid", "name", "product"),
    [
        ((0x19, 0x00, 0), "Milan", ProductLine.MILAN),
        ((0x19, 0x01, 1), "Milan", ProductLine.MILAN),
        ((0x19, 0x01, 2), "Milan-X", ProductLine.MILAN),
        ((0x19, 0x0F, 1), "Milan", ProductLine.MILAN),
        ((0x19, 0x10, 1), "Genoa", ProductLine.GENOA),
        ((0x19, 0x11, 1), "Genoa", ProductLine.GENOA),
        ((0x19, 0x11, 2), "Genoa-X", ProductLine.GENOA),
        ((0x19, 0x1F, 0), "Genoa", ProductLine.GENOA),
        ((0x19, 0xA0, 2), "Bergamo/Siena", ProductLine.GENOA),
        ((0x19, 0xAF, 0), "Bergamo/Siena", ProductLine.GENOA),
        ((0x1A, 0x00, 0), "Turin", ProductLine.TURIN),
        ((0x1A, 0x02, 1), "Turin", ProductLine.TURIN),
        ((0x1A, 0x10, 0), "Turin Dense", ProductLine.TURIN),
        ((0x1A, 0x11, 0), "Turin Dense", ProductLine.TURIN),
    ],
)
def test_a_cpu_is_of_its_line(cpuid: tuple[int, int, int], name: str, product: ProductLine) -> None:
    part = part_of_cpuid(*cpuid)
    assert (part.name, part.product) == (name, product)


@pytest.mark.parametrize(
    "cpuid",
    [(0x17, 0x31, 0), (0x19, 0x20, 0), (0x19, 0x9F, 0), (0x19, 0xB0, 0), (0x1A, 0x50, 0), (0x1A, 0x90, 0), (0, 0, 0)],
)
def test_ac_026_a_cpu_of_no_known_line_is_unsupported(cpuid: tuple[int, int, int]) -> None:
    with pytest.raises(Malformed, match="expected a Milan, Genoa or Turin CPU") as caught:
        part_of_cpuid(*cpuid)
    assert caught.value.category is Category.UNSUPPORTED


@given(bytes_, bytes_, bytes_)
def test_any_cpu_has_a_part_or_is_unsupported(family: int, model: int, stepping: int) -> None:
    known = [part for part in PARTS if part.family == family and model in part.models]
    if known:
        assert part_of_cpuid(family, model, stepping) in known
        return
    with pytest.raises(Malformed, match="no root key is known") as caught:
        part_of_cpuid(family, model, stepping)
    assert caught.value.category is Category.UNSUPPORTED


def test_every_part_is_listed_with_its_line() -> None:
    assert {part.name for product in ProductLine for part in parts_of(product)} == {part.name for part in PARTS}
    assert [part.name for part in parts_of(ProductLine.TURIN)] == ["Turin", "Turin Dense"]
