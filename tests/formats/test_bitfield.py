"""Named bits of an integer."""

from cvmproof_formats.bitfield import Bit, mask_of, set_names

LOW, HIGH = Bit(name="low", index=0, meaning="the lowest"), Bit(name="high", index=63, meaning="the highest")


def test_a_bit_has_a_mask() -> None:
    assert (LOW.mask, HIGH.mask) == (1, 1 << 63)
    assert mask_of((LOW, HIGH)) == 1 | 1 << 63
    assert mask_of(()) == 0


def test_set_bits_are_named_in_the_order_given() -> None:
    assert set_names(1 | 1 << 63, (HIGH, LOW)) == ("high", "low")
    assert set_names(2, (HIGH, LOW)) == ()
