"""The quoting enclave's report: each field where the specification has it, and what vouches for an attestation key."""

import hashlib

import pytest

from cvmproof_formats.errors import Malformed
from cvmproof_formats.tdx.qe_report import (
    ENCLAVE_ATTRIBUTE_BITS,
    ENCLAVE_DEBUG,
    QE_REPORT_SIZE,
    EnclaveReport,
    attestation_key_report_data,
)

OFFSETS = {
    "cpu_svn": (0, 16),
    "miscselect": (16, 4),
    "attributes": (48, 16),
    "mr_enclave": (64, 32),
    "mr_signer": (128, 32),
    "isv_prod_id": (256, 2),
    "isv_svn": (258, 2),
    "report_data": (320, 64),
}
RESERVED = (*range(20, 48), *range(96, 128), *range(160, 256), *range(260, 320))


def test_fields_stand_where_the_specification_has_them() -> None:
    assert {name: (place.offset, place.size) for name, place in EnclaveReport.fields()} == OFFSETS
    covered = {i for offset, size in OFFSETS.values() for i in range(offset, offset + size)}
    assert covered | set(RESERVED) == set(range(QE_REPORT_SIZE))


def test_every_reserved_byte_is_zero() -> None:
    for offset in RESERVED:
        data = bytearray(QE_REPORT_SIZE)
        data[offset] = 1
        with pytest.raises(Malformed, match=f"QE report: reserved byte at {offset:#x}"):
            EnclaveReport.parse(bytes(data))


def test_a_report_is_read_and_built_again() -> None:
    data = bytearray(i % 255 + 1 for i in range(QE_REPORT_SIZE))
    for offset in RESERVED:
        data[offset] = 0
    assert EnclaveReport.parse(bytes(data)).build() == data


def test_flags_are_the_low_half_of_the_attributes() -> None:
    attributes = bytes.fromhex("1500000000000080e700000000000000")
    report = EnclaveReport.parse(bytes(48) + attributes + bytes(320))
    assert report.flags == 1 << 63 | 0b10101
    assert {bit.name: bit.index for bit in ENCLAVE_ATTRIBUTE_BITS} == {
        "init": 0, "debug": 1, "mode64bit": 2, "provisionkey": 4, "einittoken_key": 5, "cet": 6, "kss": 7,
        "aexnotify": 10,
    }  # fmt: skip
    assert next(bit.mask for bit in ENCLAVE_ATTRIBUTE_BITS if bit.name == "debug") == ENCLAVE_DEBUG


@pytest.mark.parametrize("authentication_data", [b"", b"\0" * 32, b"x" * 400])
def test_ac_035_report_data_is_a_hash_of_key_and_authentication_data_and_then_zero(authentication_data: bytes) -> None:
    key = bytes(range(64))
    expected = hashlib.sha256(key + authentication_data).digest() + bytes(32)
    assert attestation_key_report_data(attestation_key=key, authentication_data=authentication_data) == expected
