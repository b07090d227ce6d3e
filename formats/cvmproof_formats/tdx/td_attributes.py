"""TD_ATTRIBUTES: what the host chose for a TD at its creation, 64 bits.

Follows Intel 348551-008US (TDX Module ABI), ATTRIBUTES. In a quote they stand as 8 little-endian bytes; Intel's own
policies spell the number, most significant digit first.
"""

from cvmproof_formats.bitfield import Bit, mask_of

TD_ATTRIBUTE_BITS = (
    Bit(name="debug", index=0, meaning="the host can read and write the memory of the TD"),
    Bit(name="hgs_plus_prof", index=4, meaning="the host can profile the TD with HGS+"),
    Bit(name="perf_prof", index=5, meaning="the host can profile the TD with performance counters"),
    Bit(name="pmt_prof", index=6, meaning="the host can profile the TD with platform telemetry"),
    Bit(name="icssd", index=16, meaning="the TD is guarded against single-stepping by instruction count"),
    Bit(
        name="servtd_ext",
        index=17,
        meaning="the quote names the service TD that was bound first, beside the one of now",
    ),
    Bit(name="lass", index=27, meaning="the TD may use linear address space separation"),
    Bit(name="sept_ve_disable", index=28, meaning="pages that the host takes away raise no exception in the TD"),
    Bit(name="migratable", index=29, meaning="the TD can be moved to another machine"),
    Bit(name="pks", index=30, meaning="the TD may use protection keys for its kernel's pages"),
    Bit(name="kl", index=31, meaning="the TD may use Key Locker"),
    Bit(name="tpa", index=62, meaning="the TD is the provisioning agent of TDX Connect"),
    Bit(name="perfmon", index=63, meaning="the TD may use performance monitoring"),
)

# The whole group "TD under debug": with any of them set, defined or not, nothing a TD says can be relied on.
UNDER_DEBUG = 0xFF
DEBUG = 1 << 0
SERVTD_EXT = 1 << 17
SEPT_VE_DISABLE = 1 << 28
MIGRATABLE = 1 << 29
PERFMON = 1 << 63

# Must be zero by 348551-008US: bits 1-3, 7-15, 23-26 and 32-61.
RESERVED = sum(1 << i for i in (*range(1, 4), *range(7, 16), *range(23, 27), *range(32, 62)))
# Bits 18-22 may be set by the same table, which names none of them.
UNNAMED = ~(RESERVED | mask_of(TD_ATTRIBUTE_BITS)) & (1 << 64) - 1
