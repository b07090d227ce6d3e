"""TD_ATTRIBUTES: which bits there are, which must be 0, and which nobody has named."""

from cvmproof_formats.bitfield import mask_of, set_names
from cvmproof_formats.tdx.td_attributes import (
    DEBUG,
    MIGRATABLE,
    PERFMON,
    RESERVED,
    SEPT_VE_DISABLE,
    SERVTD_EXT,
    TD_ATTRIBUTE_BITS,
    UNDER_DEBUG,
    UNNAMED,
)


def test_bits_stand_where_the_specification_has_them() -> None:
    assert {bit.name: bit.index for bit in TD_ATTRIBUTE_BITS} == {
        "debug": 0, "hgs_plus_prof": 4, "perf_prof": 5, "pmt_prof": 6, "icssd": 16, "servtd_ext": 17, "lass": 27,
        "sept_ve_disable": 28, "migratable": 29, "pks": 30, "kl": 31, "tpa": 62, "perfmon": 63,
    }  # fmt: skip


def test_each_bit_is_named_or_reserved_or_neither_but_never_two_of_them() -> None:
    named = mask_of(TD_ATTRIBUTE_BITS)
    assert named | RESERVED | UNNAMED == (1 << 64) - 1
    assert named & RESERVED == named & UNNAMED == RESERVED & UNNAMED == 0
    assert [i for i in range(64) if UNNAMED >> i & 1] == [18, 19, 20, 21, 22]
    assert [i for i in range(64) if RESERVED >> i & 1] == [1, 2, 3, *range(7, 16), *range(23, 27), *range(32, 62)]


def test_ac_044_all_of_the_lowest_byte_means_debug() -> None:
    assert UNDER_DEBUG == 0xFF
    assert UNDER_DEBUG & mask_of(TD_ATTRIBUTE_BITS) == DEBUG | 0b111 << 4


def test_bits_with_a_rule_of_their_own_have_their_places() -> None:
    values = {DEBUG: "debug", SERVTD_EXT: "servtd_ext", SEPT_VE_DISABLE: "sept_ve_disable"}
    values |= {MIGRATABLE: "migratable", PERFMON: "perfmon"}
    for value, name in values.items():
        assert set_names(value, TD_ATTRIBUTE_BITS) == (name,)


def test_the_bytes_of_real_quotes_read_as_what_they_are() -> None:
    for text, names in {
        "0000001000000000": ("sept_ve_disable",),
        "0000000000000000": (),
        "0000004000000000": ("pks",),
        "0100001000000000": ("debug", "sept_ve_disable"),
        "0000001000000080": ("sept_ve_disable", "perfmon"),
        "0000003000000000": ("sept_ve_disable", "migratable"),
    }.items():
        assert set_names(int.from_bytes(bytes.fromhex(text), "little"), TD_ATTRIBUTE_BITS) == names
