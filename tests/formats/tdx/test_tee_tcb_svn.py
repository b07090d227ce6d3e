"""TEE_TCB_SVN: 16 components, and what the second one changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof_formats.errors import Malformed
from cvmproof_formats.tdx.tee_tcb_svn import TeeTcbSvn


@given(st.binary(min_size=16, max_size=16))
def test_any_16_bytes_are_read_and_built_again(data: bytes) -> None:
    assert TeeTcbSvn.read(data).build() == data


@pytest.mark.parametrize("length", [0, 15, 17])
def test_another_length_is_malformed(length: int) -> None:
    with pytest.raises(Malformed, match=f"expected 16 bytes, got {length}"):
        TeeTcbSvn.read(bytes(length))


def test_components_stand_in_their_order() -> None:
    svn = TeeTcbSvn.read(bytes(range(1, 17)))
    assert (svn.module_svn, svn.module_version, svn.late_update) == (1, 2, 3)
    assert TeeTcbSvn.of(module_svn=1, module_version=2, late_update=3).components == bytes((1, 2, 3)) + bytes(13)


@pytest.mark.parametrize(
    ("version", "name", "first"),
    [(0, None, 0), (1, "TDX_01", 2), (3, "TDX_03", 2), (0x0A, "TDX_0A", 2), (255, "TDX_FF", 2)],
)
def test_ac_038_a_module_version_names_an_identity_and_moves_the_comparison_to_index_2(
    version: int, name: str | None, first: int
) -> None:
    svn = TeeTcbSvn.of(module_svn=5, module_version=version, late_update=2)
    assert svn.module_id == name
    assert svn.first_of_platform == first


def test_it_is_spelled_by_component() -> None:
    assert str(TeeTcbSvn.of(module_svn=11, module_version=1, late_update=4)) == "tdx1/svn11/late4"
    assert str(TeeTcbSvn.read(bytes.fromhex("03000500000700000000000000000001"))) == "tdx0/svn3/late5/[5]7/[15]1"
