"""Firmware's word and the VMM's are told apart, and each is spelled out."""

import pytest

from cvmproof_agent.devices.snp.error_words import spell_error


@pytest.mark.parametrize(
    ("firmware", "vmm", "said"),
    [
        (0, 1, "the VMM says 0x1, certificate buffer too small"),
        (0, 2, "the VMM says 0x2, the host is busy"),
        (0, 0xFFFFFFFF, "the VMM says 0xffffffff, the hypervisor failed"),
        (0, 0x80000000, "the hypervisor failed"),
        (0, 77, "the VMM says 0x4d, which is unknown here"),
        (0x16, 0, "firmware says 0x16, invalid parameter"),
        (0x27, 0, "firmware says 0x27, invalid key"),
        (0x1D, 0, "AEAD counter overflow"),
        (0x1234, 0, "firmware says 0x1234, which is unknown here"),
        (0xFF, 0, "firmware was not asked"),
        (0xFF, 2, "the VMM says 0x2, the host is busy; firmware was not asked"),
        (7, 2, "the host is busy; firmware says 0x7, not allowed by the guest's policy"),
        (0, 0, "neither the VMM nor firmware said why"),
    ],
)
def test_each_word_is_said(firmware: int, vmm: int, said: str) -> None:
    assert said in spell_error(firmware=firmware, vmm=vmm)


def test_all_of_firmwares_words_are_known_up_to_the_last_but_one_that_was_never_given() -> None:
    unknown = [code for code in range(1, 0x28) if "unknown" in spell_error(firmware=code, vmm=0)]
    assert unknown == [0x1E]
