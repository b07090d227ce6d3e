"""TCB floors: what each dated profile asks of each part, and which one counts where the part is not known."""

import pytest

from cvmproof.policy.floors import AMD_SB_3019, AMD_SB_3023, PROFILES, FloorProfile
from cvmproof_formats.snp.product import PARTS, ProductLine

# What the bulletins say, by part: SNP and microcode.
SB_3019 = {
    "Milan": (0x18, 0xDB), "Milan-X": (0x18, 0x44), "Genoa": (0x17, 0x54), "Genoa-X": (0x17, 0x4F),
    "Bergamo/Siena": (0x17, 0x19), "Turin": (0, 0), "Turin Dense": (0, 0),
}  # fmt: skip
SB_3023 = {
    "Milan": (0x1B, 0xDE), "Milan-X": (0x1B, 0x47), "Genoa": (0x1B, 0x56), "Genoa-X": (0x1B, 0x51),
    "Bergamo/Siena": (0x1B, 0x1B), "Turin": (0x04, 0x51), "Turin Dense": (0x04, 0x4E),
}  # fmt: skip
BULLETINS = [(AMD_SB_3019, SB_3019), (AMD_SB_3023, SB_3023)]


@pytest.mark.parametrize(("profile", "bulletin"), BULLETINS, ids=lambda value: getattr(value, "name", ""))
def test_a_profile_asks_of_each_part_what_its_bulletin_says(
    profile: FloorProfile, bulletin: dict[str, tuple[int, int]]
) -> None:
    asked = {part.name: profile.products[part.product].for_part(part, part.product) for part in PARTS}
    assert {name: (floor.snp, floor.microcode) for name, floor in asked.items()} == bulletin
    assert {(floor.boot_loader, floor.tee) for floor in asked.values()} == {(0, 0)}


@pytest.mark.parametrize(("profile", "bulletin"), BULLETINS, ids=lambda value: getattr(value, "name", ""))
@pytest.mark.parametrize("product", ProductLine)
def test_a_part_that_is_not_known_is_held_to_the_strictest_of_its_line(
    product: ProductLine, profile: FloorProfile, bulletin: dict[str, tuple[int, int]]
) -> None:
    strictest = max(bulletin[part.name][1] for part in PARTS if part.product is product)
    assert profile.products[product].for_part(None, product).microcode == strictest


def test_the_newer_profile_is_nowhere_below_the_older() -> None:
    for part in PARTS:
        older, newer = (p.products[part.product].for_part(part, part.product) for p in (AMD_SB_3019, AMD_SB_3023))
        assert newer.snp >= older.snp
        assert newer.microcode >= older.microcode
    assert AMD_SB_3023.dated > AMD_SB_3019.dated


def test_profiles_are_named_for_their_bulletin_and_complete() -> None:
    assert {name: profile.source.lower() for name, profile in PROFILES.items()} == {name: name for name in PROFILES}
    for profile in PROFILES.values():
        assert profile.products.keys() == set(ProductLine)


@pytest.mark.parametrize("product", ProductLine)
def test_a_floor_is_a_tcb_of_its_line(product: ProductLine) -> None:
    for profile in PROFILES.values():
        floor = profile.products[product].for_part(None, product)
        assert len(floor.build(product)) == 8
        assert (floor.fmc is None) is (product is not ProductLine.TURIN)
