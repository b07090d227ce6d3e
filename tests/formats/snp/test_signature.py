"""R and S: 72 bytes each, little-endian."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof_formats.errors import Malformed
from cvmproof_formats.snp.signature import build_component, read_component


@given(st.integers(0, (1 << 384) - 1))
def test_what_is_built_is_read(value: int) -> None:
    data = build_component(value)
    assert len(data) == 72
    assert read_component(data) == value
    assert data[48:] == bytes(24)


@given(st.binary(min_size=72, max_size=72))
def test_all_72_bytes_count(data: bytes) -> None:
    assert read_component(data).to_bytes(72, "little") == data


@pytest.mark.parametrize("value", [-1, 1 << 384, 1 << 575])
def test_a_component_has_at_most_48_bytes(value: int) -> None:
    with pytest.raises(Malformed, match=r"expected 0 to 2\^384 - 1"):
        build_component(value)
