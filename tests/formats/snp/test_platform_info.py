"""PLATFORM_INFO: which bits there are."""

from cvmproof_formats.snp.platform_info import KNOWN, PLATFORM_INFO_BITS


def test_bits_stand_where_the_specification_has_them() -> None:
    assert {bit.name: bit.index for bit in PLATFORM_INFO_BITS} == {
        "smt_en": 0, "tsme_en": 1, "ecc_en": 2, "rapl_dis": 3, "ciphertext_hiding_dram_en": 4,
        "alias_check_complete": 5, "iommu_write_safe": 6, "sev_tio_en": 7,
    }  # fmt: skip


def test_the_low_eight_bits_are_known_and_no_other() -> None:
    assert KNOWN == 0xFF
