"""XFAM: the extended processor features a TD may use, 64 bits, numbered as XCR0 and IA32_XSS are.

Follows Intel 348551 (TDX Module ABI), XFAM, and the Intel SDM volume 1 section 13.1 for the state components.
"""

from cvmproof_formats.bitfield import Bit, mask_of

XFAM_BITS = (
    Bit(name="x87", index=0, meaning="x87 floating point; always 1"),
    Bit(name="sse", index=1, meaning="SSE; always 1"),
    Bit(name="avx", index=2, meaning="AVX"),
    Bit(name="avx512_opmask", index=5, meaning="AVX-512: the opmask registers"),
    Bit(name="avx512_zmm_hi256", index=6, meaning="AVX-512: the upper halves of ZMM0 to ZMM15"),
    Bit(name="avx512_hi16_zmm", index=7, meaning="AVX-512: ZMM16 to ZMM31"),
    Bit(name="pt", index=8, meaning="processor trace"),
    Bit(name="pkru", index=9, meaning="protection keys for user pages"),
    Bit(name="cet_u", index=11, meaning="control-flow enforcement for user code"),
    Bit(name="cet_s", index=12, meaning="control-flow enforcement for supervisor code"),
    Bit(name="uli", index=14, meaning="user-level interrupts"),
    Bit(name="lbr", index=15, meaning="last branch records"),
    Bit(name="amx_tilecfg", index=17, meaning="AMX: the tile configuration"),
    Bit(name="amx_tiledata", index=18, meaning="AMX: the tiles"),
)

ALWAYS_ONE = 0b11  # x87 and SSE
RESERVED = ~mask_of(XFAM_BITS) & (1 << 64) - 1
