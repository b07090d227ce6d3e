"""The flags word that says which key signed."""

import pytest

from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.snp.key_flags import AUTHOR_KEY_EN, MASK_CHIP_KEY, flags_for, signing_key
from cvmproof_formats.snp.product import KeyKind


@pytest.mark.parametrize("kind", KeyKind)
@pytest.mark.parametrize("author_key", [False, True])
@pytest.mark.parametrize("mask_chip_key", [False, True])
def test_what_is_built_is_read(kind: KeyKind, author_key: bool, mask_chip_key: bool) -> None:
    flags = flags_for(kind, author_key=author_key, mask_chip_key=mask_chip_key)
    assert signing_key(flags) is kind
    assert bool(flags & AUTHOR_KEY_EN) is author_key
    assert bool(flags & MASK_CHIP_KEY) is mask_chip_key


def test_the_words_are_those_of_real_reports() -> None:
    assert (flags_for(KeyKind.VCEK), flags_for(KeyKind.VLEK)) == (0, 4)


@pytest.mark.parametrize("selected", range(2, 8))
def test_ac_004_a_key_that_is_neither_is_unsupported(selected: int) -> None:
    with pytest.raises(Malformed, match=f"got {selected}") as caught:
        signing_key(selected << 2)
    assert caught.value.category is Category.UNSUPPORTED


@pytest.mark.parametrize("bit", range(5, 32))
def test_reserved_flags_are_malformed(bit: int) -> None:
    with pytest.raises(Malformed, match=r"bits 31:5 are reserved") as caught:
        signing_key(1 << bit)
    assert caught.value.category is Category.MALFORMED
