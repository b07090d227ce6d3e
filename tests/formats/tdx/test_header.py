"""The header of a quote: each field where the specification has it; what it may say is tested with the quote."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.formats.at_once import changes

from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.tdx.header import (
    ECDSA_P256,
    HEADER_SIZE,
    INTEL_QE_VENDOR_ID,
    TDX,
    QuoteHeader,
    read_header,
    require_header,
)

OFFSETS = {
    "version": (0, 2),
    "attestation_key_type": (2, 2),
    "tee_type": (4, 4),
    "qe_vendor_id": (12, 16),
    "user_data": (28, 20),
}
HEADER = QuoteHeader(version=4, attestation_key_type=ECDSA_P256, tee_type=TDX, user_data=bytes(range(20)))


def test_fields_stand_where_the_specification_has_them() -> None:
    assert {name: (place.offset, place.size) for name, place in QuoteHeader.fields()} == OFFSETS
    assert HEADER_SIZE == 48
    assert INTEL_QE_VENDOR_ID.hex() == "939a7233f79c4ca9940a0db3957f0607"
    assert HEADER.build().hex() == "040002008100000000000000" + INTEL_QE_VENDOR_ID.hex() + bytes(range(20)).hex()


@pytest.mark.parametrize("version", [4, 5])
@given(user_data=st.binary(min_size=20, max_size=20))
def test_a_header_is_read_and_built_again(version: int, user_data: bytes) -> None:
    header = QuoteHeader(version=version, attestation_key_type=ECDSA_P256, tee_type=TDX, user_data=user_data)
    assert read_header(header.build()) == header


def test_a_header_of_another_length_is_malformed() -> None:
    data = HEADER.build()
    for wrong in (*(data[:length] for length in range(HEADER_SIZE)), data + b"\0"):
        with pytest.raises(Malformed, match="expected 48 bytes") as caught:
            read_header(wrong)
        assert caught.value.category is Category.MALFORMED


def test_what_is_required_of_a_header_is_what_its_reader_requires() -> None:
    data = HEADER.build()
    require_header(data)
    for changed in (*changes(data), b"", data + b"\0"):
        assert refusal(require_header, changed) == refusal(read_header, changed)


def refusal(reader: Callable[[bytes], object], data: bytes) -> tuple[str, Category] | None:
    """Why a header is refused, None where it is not."""
    try:
        reader(data)
    except Malformed as error:
        return str(error), error.category
    return None
