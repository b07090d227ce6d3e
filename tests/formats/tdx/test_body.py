"""The TD report body: each field where the specification has it, in both sizes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.tdx.body import BODIES, BodyType, TdBody, TdBody15, require_body_type

OFFSETS = {
    "tee_tcb_svn": (0, 16),
    "mr_seam": (16, 48),
    "mr_signer_seam": (64, 48),
    "seam_attributes": (112, 8),
    "td_attributes": (120, 8),
    "xfam": (128, 8),
    "mr_td": (136, 48),
    "mr_config_id": (184, 48),
    "mr_owner": (232, 48),
    "mr_owner_config": (280, 48),
    "rtmr0": (328, 48),
    "rtmr1": (376, 48),
    "rtmr2": (424, 48),
    "rtmr3": (472, 48),
    "report_data": (520, 64),
}
OFFSETS_15 = {**OFFSETS, "tee_tcb_svn2": (584, 16), "mr_service_td": (600, 48)}

bodies = pytest.mark.parametrize(("layout", "offsets", "size"), [(TdBody, OFFSETS, 584), (TdBody15, OFFSETS_15, 648)])


@bodies
def test_fields_stand_where_the_specification_has_them(
    layout: type[TdBody], offsets: dict[str, tuple[int, int]], size: int
) -> None:
    assert {name: (place.offset, place.size) for name, place in layout.fields()} == offsets
    assert layout.layout_size == size
    assert sum(width for _, width in offsets.values()) == size


@bodies
def test_each_field_is_read_from_its_own_bytes(
    layout: type[TdBody], offsets: dict[str, tuple[int, int]], size: int
) -> None:
    nothing = layout.parse(bytes(size))
    for name, (offset, width) in offsets.items():
        for place, value in ((offset, b"\1"), (offset + width - 1, b"\x80")):
            data = bytearray(size)
            data[place : place + 1] = value
            found = layout.parse(bytes(data))
            changed = [field for field, _ in layout.fields() if getattr(found, field) != getattr(nothing, field)]
            assert changed == [name]


@given(st.binary(min_size=648, max_size=648))
def test_any_body_is_read_and_built_again(data: bytes) -> None:
    assert TdBody15.parse(data).build() == data
    assert TdBody.parse(data[:584]).build() == data[:584]


@bodies
def test_a_body_of_another_length_is_malformed(
    layout: type[TdBody], offsets: dict[str, tuple[int, int]], size: int
) -> None:
    for wrong in (0, size - 1, size + 1, 384, 885):
        with pytest.raises(Malformed, match=f"expected {size} bytes, got {wrong}"):
            layout.parse(bytes(wrong))


def test_attributes_are_little_endian_numbers() -> None:
    body = TdBody.parse(bytes(120) + bytes.fromhex("0000001000000000e702060000000000") + bytes(448))
    assert (body.td_attributes, body.xfam) == (1 << 28, 0x602E7)


def test_rtmrs_come_in_order() -> None:
    body = TdBody.parse(bytes(328) + b"".join(bytes([i]) * 48 for i in range(4)) + bytes(64))
    assert body.rtmrs == tuple(bytes([i]) * 48 for i in range(4))


def test_types_2_and_3_are_read() -> None:
    assert [require_body_type(number) for number in (2, 3)] == [BodyType.TD_1_0, BodyType.TD_1_5]
    assert dict(BODIES) == {BodyType.TD_1_0: TdBody, BodyType.TD_1_5: TdBody15}


@pytest.mark.parametrize("number", [0, 1, 4, 5, 0x0200, 0xFFFF])
def test_ac_057_every_other_type_is_unsupported(number: int) -> None:
    with pytest.raises(Malformed, match=rf"expected 2 \(TD 1\.0\) or 3 \(TD 1\.5\), got {number}") as caught:
        require_body_type(number)
    assert caught.value.category is Category.UNSUPPORTED
