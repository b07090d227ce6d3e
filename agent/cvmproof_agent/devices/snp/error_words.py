"""What stands in exitinfo2 where a guest request failed: a word of firmware's and one of the VMM's.

Firmware's are the status codes of AMD 56860 and 55766, as Linux include/uapi/linux/psp-sev.h numbers them
(sev_ret_code); the VMM's are those of AMD/GHCB 56421, SNP guest request.
"""

from typing import Final

from cvmproof_agent.devices.snp.abi import NO_FIRMWARE_CALL, VMM_BUSY, VMM_INVALID_LENGTH

_FIRMWARE: Final = {
    0x01: "invalid platform state",
    0x02: "invalid guest state",
    0x03: "invalid configuration",
    0x04: "invalid length",
    0x05: "already owned",
    0x06: "invalid certificate",
    0x07: "not allowed by the guest's policy",
    0x08: "inactive",
    0x09: "invalid address",
    0x0A: "bad signature",
    0x0B: "bad measurement",
    0x0C: "ASID is owned",
    0x0D: "invalid ASID",
    0x0E: "WBINVD required",
    0x0F: "DF_FLUSH required",
    0x10: "invalid guest",
    0x11: "invalid command",
    0x12: "active",
    0x13: "hardware error of the platform",
    0x14: "hardware is unsafe",
    0x15: "unsupported",
    0x16: "invalid parameter",
    0x17: "out of resources",
    0x18: "secure data invalid",
    0x19: "invalid page size",
    0x1A: "invalid page state",
    0x1B: "invalid metadata entry",
    0x1C: "invalid page owner",
    0x1D: "AEAD counter overflow",
    0x1F: "ring buffer mode was left",
    0x20: "RMP initialisation required",
    0x21: "bad security version number",
    0x22: "bad version",
    0x23: "shutdown required",
    0x24: "update failed",
    0x25: "restore required",
    0x26: "RMP initialisation failed",
    0x27: "invalid key",
}
_VMM: Final = {
    VMM_INVALID_LENGTH: "certificate buffer too small",
    VMM_BUSY: "the host is busy",
    0x80000000: "the hypervisor failed",
    0xFFFFFFFF: "the hypervisor failed",
}


def spell_error(*, firmware: int, vmm: int) -> str:
    """Say who failed, and how; both words are 32 bits, zero where there is nothing to say."""
    said = []
    if vmm:
        said.append(f"the VMM says {vmm:#x}, {_VMM.get(vmm, 'which is unknown here')}")
    if firmware == NO_FIRMWARE_CALL:
        said.append("firmware was not asked")
    elif firmware:
        said.append(f"firmware says {firmware:#x}, {_FIRMWARE.get(firmware, 'which is unknown here')}")
    return "; ".join(said) or "neither the VMM nor firmware said why"
