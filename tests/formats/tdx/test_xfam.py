"""XFAM: which features there are, and which bits are fixed."""

import pytest

from cvmproof_formats.bitfield import mask_of, set_names
from cvmproof_formats.tdx.xfam import ALWAYS_ONE, RESERVED, XFAM_BITS

AVX_512 = ("avx512_opmask", "avx512_zmm_hi256", "avx512_hi16_zmm")
AMX = ("amx_tilecfg", "amx_tiledata")
CET = ("cet_u", "cet_s")


def test_bits_stand_where_the_specification_has_them() -> None:
    assert {bit.name: bit.index for bit in XFAM_BITS} == {
        "x87": 0, "sse": 1, "avx": 2, "avx512_opmask": 5, "avx512_zmm_hi256": 6, "avx512_hi16_zmm": 7, "pt": 8,
        "pkru": 9, "cet_u": 11, "cet_s": 12, "uli": 14, "lbr": 15, "amx_tilecfg": 17, "amx_tiledata": 18,
    }  # fmt: skip
    assert mask_of(XFAM_BITS) == 0x6DBE7
    assert RESERVED == (1 << 64) - 1 - 0x6DBE7
    assert set_names(ALWAYS_ONE, XFAM_BITS) == ("x87", "sse")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("e702060000000000", ("x87", "sse", "avx", *AVX_512, "pkru", *AMX)),
        ("0702000000000000", ("x87", "sse", "avx", "pkru")),
        ("e700060000000000", ("x87", "sse", "avx", *AVX_512, *AMX)),
        ("e718060000000000", ("x87", "sse", "avx", *AVX_512, *CET, *AMX)),
        ("e742060000000000", ("x87", "sse", "avx", *AVX_512, "pkru", "uli", *AMX)),
        ("e71a060000000000", ("x87", "sse", "avx", *AVX_512, "pkru", *CET, *AMX)),
    ],
)
def test_the_bytes_of_real_quotes_read_as_what_they_are(text: str, names: tuple[str, ...]) -> None:
    value = int.from_bytes(bytes.fromhex(text), "little")
    assert set_names(value, XFAM_BITS) == names
    assert value & RESERVED == 0
    assert value & ALWAYS_ONE == ALWAYS_ONE
