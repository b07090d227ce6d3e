"""GUEST_POLICY: which bits there are, which must be what, and the ABI version in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.snp.guest_policy import DEBUG, GUEST_POLICY_BITS, RESERVED_ONE, minimum_abi, require_well_formed


def test_bits_stand_where_the_specification_has_them() -> None:
    assert {bit.name: bit.index for bit in GUEST_POLICY_BITS} == {
        "smt": 16, "migrate_ma": 18, "debug": 19, "single_socket": 20, "cxl_allow": 21, "mem_aes_256_xts": 22,
        "rapl_dis": 23, "ciphertext_hiding_dram": 24, "page_swap_disable": 25,
    }  # fmt: skip
    assert next(bit.mask for bit in GUEST_POLICY_BITS if bit.name == "debug") == DEBUG


@given(st.integers(0, (1 << 26) - 1))
def test_defined_bits_may_be_anything_beside_the_one_that_is_always_1(policy: int) -> None:
    require_well_formed(policy | RESERVED_ONE)
    with pytest.raises(Malformed, match="bit 17: expected 1") as caught:
        require_well_formed(policy & ~RESERVED_ONE)
    assert caught.value.category is Category.MALFORMED


@pytest.mark.parametrize("bit", range(26, 64))
def test_ac_030_bits_that_are_not_defined_are_unsupported(bit: int) -> None:
    with pytest.raises(Malformed, match=r"bits 63:26 are reserved") as caught:
        require_well_formed(0x30000 | 1 << bit)
    assert caught.value.category is Category.UNSUPPORTED


@pytest.mark.parametrize(
    ("policy", "abi"), [(0x30000, (0, 0)), (0x3001F, (0, 31)), (0x3013A, (1, 58)), (0x3FFFF, (255, 255))]
)
def test_the_abi_is_the_low_16_bits(policy: int, abi: tuple[int, int]) -> None:
    assert minimum_abi(policy) == abi
