"""GUEST_POLICY: what the guest's owner allows the host to do, fixed at launch.

Follows AMD 56860, GUEST_POLICY (64 bits).
"""

from cvmproof_formats.bitfield import Bit, mask_of
from cvmproof_formats.errors import Category, Malformed

GUEST_POLICY_BITS = (
    Bit(name="smt", index=16, meaning="the guest may run where simultaneous multithreading is on"),
    Bit(name="migrate_ma", index=18, meaning="the guest may be associated with a migration agent"),
    Bit(name="debug", index=19, meaning="the host can read and write the memory of the guest"),
    Bit(name="single_socket", index=20, meaning="the guest runs on one socket only"),
    Bit(name="cxl_allow", index=21, meaning="the guest may run where CXL devices or memory are populated"),
    Bit(name="mem_aes_256_xts", index=22, meaning="the guest runs only where memory is encrypted with AES-256-XTS"),
    Bit(name="rapl_dis", index=23, meaning="the guest runs only where power readings (RAPL) are off"),
    Bit(name="ciphertext_hiding_dram", index=24, meaning="the guest runs only where the host can't read ciphertext"),
    Bit(name="page_swap_disable", index=25, meaning="the host can't move or swap the guest's pages"),
)

DEBUG = 1 << 19
RESERVED_ONE = 1 << 17  # must be 1
_KNOWN = 0xFFFF | RESERVED_ONE | mask_of(GUEST_POLICY_BITS)


def minimum_abi(policy: int) -> tuple[int, int]:
    """Give the lowest firmware ABI version the guest runs on, (major, minor)."""
    return policy >> 8 & 0xFF, policy & 0xFF


def require_well_formed(policy: int) -> None:
    """Check the bits whose value the specification fixes.

    Raises Malformed if bit 17 is 0, and Malformed (UNSUPPORTED) if a bit is set that no known ABI defines.
    """
    if not policy & RESERVED_ONE:
        raise Malformed(f"GUEST_POLICY {policy:#x}: bit 17: expected 1, got 0")
    unknown = policy & ~_KNOWN
    if unknown:
        raise Malformed(
            f"GUEST_POLICY {policy:#x}: bits 63:26 are reserved: expected 0, got {unknown:#x}",
            category=Category.UNSUPPORTED,
        )
