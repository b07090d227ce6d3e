"""TCB_VERSION in its two layouts, component by component."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof_formats.errors import Malformed
from cvmproof_formats.snp.product import ProductLine
from cvmproof_formats.snp.tcb import LAYOUTS, MAXIMUM_SPL, TCB_SIZE, Tcb, components_below, read_tcb

OLDER = (ProductLine.MILAN, ProductLine.GENOA)
levels = st.integers(0, MAXIMUM_SPL)
older = st.builds(Tcb, boot_loader=levels, tee=levels, snp=levels, microcode=st.integers(0, 255))
turin = st.builds(Tcb, fmc=levels, boot_loader=levels, tee=levels, snp=levels, microcode=st.integers(0, 255))


@given(older)
@pytest.mark.parametrize("product", OLDER)
def test_what_is_built_is_read(product: ProductLine, tcb: Tcb) -> None:
    assert Tcb.read(tcb.build(product), product) == tcb


@given(turin)
def test_what_is_built_for_turin_is_read(tcb: Tcb) -> None:
    assert Tcb.read(tcb.build(ProductLine.TURIN), ProductLine.TURIN) == tcb


@given(st.binary(max_size=10), st.sampled_from(ProductLine))
def test_any_bytes_are_a_tcb_that_builds_them_again_or_malformed(data: bytes, product: ProductLine) -> None:
    try:
        tcb = read_tcb(data, product)
    except Malformed:
        return
    assert tcb.build(product) == data


@pytest.mark.parametrize(
    ("data", "product", "text"),
    [
        ("0400000000001bde", ProductLine.MILAN, "bl4/tee0/snp27/ucode222"),
        ("0a00000000001754", ProductLine.GENOA, "bl10/tee0/snp23/ucode84"),
        ("0101010400000051", ProductLine.TURIN, "fmc1/bl1/tee1/snp4/ucode81"),
    ],
)
def test_a_tcb_is_spelled_by_its_components(data: str, product: ProductLine, text: str) -> None:
    assert str(Tcb.read(bytes.fromhex(data), product)) == text


@pytest.mark.parametrize("product", ProductLine)
def test_reserved_bytes_are_zero(product: ProductLine) -> None:
    for index in set(range(TCB_SIZE)) - set(LAYOUTS[product].values()):
        data = bytearray(TCB_SIZE)
        data[index] = 1
        with pytest.raises(Malformed, match=f"reserved byte {index}: expected 0, got 1"):
            Tcb.read(bytes(data), product)


@pytest.mark.parametrize("product", ProductLine)
def test_components_end_at_127_and_microcode_at_255(product: ProductLine) -> None:
    for name, index in LAYOUTS[product].items():
        data = bytearray(TCB_SIZE)
        data[index] = 255 if name == "microcode" else 127
        assert Tcb.read(bytes(data), product).components()[name] == data[index]
        if name != "microcode":
            data[index] = 128
            with pytest.raises(Malformed, match=rf"{name}: expected 0..127, got 128"):
                Tcb.read(bytes(data), product)


@pytest.mark.parametrize("size", [0, 7, 9])
def test_a_tcb_has_8_bytes(size: int) -> None:
    with pytest.raises(Malformed, match=f"expected 8 bytes, got {size}"):
        Tcb.read(bytes(size), ProductLine.GENOA)


def test_a_component_belongs_to_its_layout() -> None:
    with_fmc = Tcb(fmc=0, boot_loader=0, tee=0, snp=0, microcode=0)
    with pytest.raises(Malformed, match="has no fmc"):
        with_fmc.build(ProductLine.GENOA)
    with pytest.raises(Malformed, match="needs fmc"):
        replace(with_fmc, fmc=None).build(ProductLine.TURIN)
    for wrong in (replace(with_fmc, microcode=256), replace(with_fmc, snp=-1), replace(with_fmc, fmc=128)):
        with pytest.raises(Malformed, match="expected 0"):
            wrong.build(ProductLine.TURIN)


@given(st.binary(min_size=8, max_size=8), st.binary(min_size=8, max_size=8))
def test_ac_024_tcbs_compare_component_by_component(tcb: bytes, floor: bytes) -> None:
    assert components_below(tcb, floor) == tuple(i for i in range(8) if tcb[i] < floor[i])
    assert components_below(tcb, tcb) == ()
