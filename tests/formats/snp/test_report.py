"""The attestation report: read and built, its versions, and what no version allows."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.report import (
    REPORT_SIZE,
    SIGNED,
    VERSIONS,
    AttestationReport,
    read_report,
)
from cvmproof_simulator.psp import SoftwarePsp

PSP = SoftwarePsp(ProductLine.GENOA)
REPORT = PSP.report(bytes(range(64)))

# AMD 56860, ATTESTATION_REPORT: what is reserved in every version, and what versions 3 and 5 took from that.
RESERVED = (*range(0x4C, 0x50), *range(0x18B, 0x1A0), 0x1EB, 0x1EF, *range(0x208, 0x2A0), *range(0x330, 0x4A0))
SINCE_3, SINCE_5 = range(0x188, 0x18B), range(0x1F8, 0x208)


def with_byte(offset: int, value: int, data: bytes = REPORT) -> bytes:
    return data[:offset] + bytes([value]) + data[offset + 1 :]


def refused(data: bytes, category: Category) -> None:
    with pytest.raises(Malformed) as caught:
        read_report(data)
    assert caught.value.category is category


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("product", ProductLine)
@pytest.mark.parametrize("key", KeyKind)
def test_a_report_of_each_version_is_read_and_built_again(product: ProductLine, key: KeyKind, version: int) -> None:
    data = SoftwarePsp(product, key, version=version).report(bytes(64))
    report = read_report(data)
    assert report.version == version
    assert report.signing_key is key
    assert report.build() == data
    assert len(data) == REPORT_SIZE


@settings(max_examples=200)
@given(data=st.binary(min_size=REPORT_SIZE, max_size=REPORT_SIZE), version=st.sampled_from(VERSIONS))
def test_any_report_that_is_read_is_built_again(data: bytes, version: int) -> None:
    blanked = bytearray(data)
    for offset in (*RESERVED, *(SINCE_3 if version < 3 else ()), *(SINCE_5 if version < 5 else ())):
        blanked[offset] = 0
    blanked[:4] = version.to_bytes(4, "little")
    report = AttestationReport.parse(bytes(blanked))
    assert report.build() == blanked
    assert AttestationReport.parse(report.build()) == report


def test_ac_001_a_report_cut_at_any_length_is_malformed() -> None:
    for length in range(REPORT_SIZE):
        refused(REPORT[:length], Category.MALFORMED)


def test_ac_002_a_report_with_anything_behind_it_is_malformed() -> None:
    for behind in (b"\0", b"\1", bytes(512)):
        refused(REPORT + behind, Category.MALFORMED)


@pytest.mark.parametrize("version", [0, 1, 6, 7, 0x0102, 0xFFFFFFFF])
def test_ac_003_a_version_that_is_not_known_is_unsupported(version: int) -> None:
    refused(PSP.sign(replace(PSP.fields(bytes(64)), version=version)), Category.UNSUPPORTED)


def test_a_version_that_is_not_known_may_use_what_ours_reserve_and_is_unsupported_all_the_same() -> None:
    refused(with_byte(0x208, 1, with_byte(0, 6)), Category.UNSUPPORTED)


@pytest.mark.parametrize("algorithm", [0, 2, 3, 0x0101, 0xFFFFFFFF])
def test_ac_004_another_signature_algorithm_is_unsupported(algorithm: int) -> None:
    refused(PSP.report(bytes(64), signature_algo=algorithm), Category.UNSUPPORTED)


@pytest.mark.parametrize("selected", range(2, 8))
def test_ac_004_a_signing_key_that_is_neither_vcek_nor_vlek_is_unsupported(selected: int) -> None:
    refused(PSP.report(bytes(64), key_flags=selected << 2), Category.UNSUPPORTED)


@pytest.mark.parametrize("bit", range(5, 32))
def test_reserved_key_flags_are_malformed(bit: int) -> None:
    refused(PSP.report(bytes(64), key_flags=1 << bit), Category.MALFORMED)


def test_ac_005_any_byte_behind_the_signature_is_malformed() -> None:
    for offset in range(0x330, 0x4A0):
        for value in (0x01, 0x80, 0xFF):
            refused(with_byte(offset, value), Category.MALFORMED)


def test_every_reserved_byte_is_zero() -> None:
    for offset in RESERVED:
        refused(with_byte(offset, 1), Category.MALFORMED)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_a_later_version_brought_is_reserved_before(version: int) -> None:
    data = SoftwarePsp(ProductLine.GENOA, version=version).report(bytes(64))
    for first, span in ((3, SINCE_3), (5, SINCE_5)):
        for offset in span:
            if version < first:
                refused(with_byte(offset, 1, data), Category.MALFORMED)
            else:
                assert read_report(with_byte(offset, 1, data))


@pytest.mark.parametrize("bit", range(26, 64))
def test_ac_030_guest_policy_bits_that_no_version_defines_are_unsupported(bit: int) -> None:
    refused(PSP.report(bytes(64), policy=0x30000 | 1 << bit), Category.UNSUPPORTED)


def test_the_guest_policy_bit_that_must_be_one_is() -> None:
    refused(PSP.report(bytes(64), policy=0x10000), Category.MALFORMED)


def test_the_signed_part_ends_where_the_signature_begins() -> None:
    assert (SIGNED.start, SIGNED.stop) == (0, 0x2A0)
    assert REPORT[SIGNED] == read_report(REPORT).build()[SIGNED]


def test_fields_stand_where_the_specification_has_them() -> None:
    offsets = {name: (place.offset, place.size) for name, place in AttestationReport.fields()}
    assert offsets["measurement"] == (0x90, 48)
    assert offsets["report_data"] == (0x50, 64)
    assert offsets["chip_id"] == (0x1A0, 64)
    assert offsets["reported_tcb"] == (0x180, 8)
    covered = {i for offset, size in offsets.values() for i in range(offset, offset + size)}
    assert covered | set(RESERVED) == set(range(REPORT_SIZE))
    assert not covered & set(RESERVED)


def test_firmware_versions_are_major_minor_build() -> None:
    report = read_report(REPORT)
    assert report.current_firmware == report.committed_firmware == (1, 55, 49)
