"""PLATFORM_INFO: what the platform was doing when the report was made.

Follows AMD 56860, PLATFORM_INFO (64 bits); bit 6 as AMD-SB-3016 describes it, and as shipped Turin and Genoa parts set
it.
"""

from cvmproof_formats.bitfield import Bit, mask_of

PLATFORM_INFO_BITS = (
    Bit(name="smt_en", index=0, meaning="simultaneous multithreading is on"),
    Bit(name="tsme_en", index=1, meaning="transparent memory encryption is on"),
    Bit(name="ecc_en", index=2, meaning="memory is error-correcting"),
    Bit(name="rapl_dis", index=3, meaning="power readings (RAPL) are off"),
    Bit(name="ciphertext_hiding_dram_en", index=4, meaning="the host can't read the ciphertext of guest memory"),
    Bit(name="alias_check_complete", index=5, meaning="memory was checked for aliases at boot (AMD-SB-3015)"),
    Bit(name="iommu_write_safe", index=6, meaning="the IOMMU can't write to guest memory (AMD-SB-3016)"),
    Bit(name="sev_tio_en", index=7, meaning="trusted devices (SEV-TIO) are on"),
)

KNOWN = mask_of(PLATFORM_INFO_BITS)
