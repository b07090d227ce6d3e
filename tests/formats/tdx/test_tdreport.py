"""TDREPORT: each field where the specification has it, its hashes, and what is none."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.formats.tdx.quotes import BODY, patched

from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.layout import Layout
from cvmproof_formats.tdx.tdreport import (
    TDREPORT_SIZE,
    ReportMac,
    TdInfo,
    TdReport,
    TeeTcbInfo,
    part_hash,
    read_tdreport,
)

OFFSETS: dict[type[Layout], tuple[int, dict[str, tuple[int, int]]]] = {
    ReportMac: (
        256,
        {
            "report_type": (0, 1),
            "subtype": (1, 1),
            "version": (2, 1),
            "cpu_svn": (16, 16),
            "tee_tcb_info_hash": (32, 48),
            "tee_info_hash": (80, 48),
            "report_data": (128, 64),
            "mac": (224, 32),
        },
    ),
    TeeTcbInfo: (
        239,
        {
            "valid": (0, 8),
            "tee_tcb_svn": (8, 16),
            "mr_seam": (24, 48),
            "mr_signer_seam": (72, 48),
            "seam_attributes": (120, 8),
            "tee_tcb_svn2": (128, 16),
        },
    ),
    TdInfo: (
        512,
        {
            "td_attributes": (0, 8),
            "xfam": (8, 8),
            "mr_td": (16, 48),
            "mr_config_id": (64, 48),
            "mr_owner": (112, 48),
            "mr_owner_config": (160, 48),
            "rtmr0": (208, 48),
            "rtmr1": (256, 48),
            "rtmr2": (304, 48),
            "rtmr3": (352, 48),
            "mr_service_td": (400, 48),
        },
    ),
}
TCB_INFO = TeeTcbInfo(
    valid=0x301FF,
    tee_tcb_svn=b"\5\1\2".ljust(16, b"\0"),
    mr_seam=b"\x31" * 48,
    mr_signer_seam=bytes(48),
    seam_attributes=0,
    tee_tcb_svn2=b"\6".ljust(16, b"\0"),
)
TD_INFO = TdInfo.parse(BODY.build()[120:520] + b"\x32" * 48 + bytes(64))


def tdreport(*, tcb_info: TeeTcbInfo = TCB_INFO, td_info: TdInfo = TD_INFO, version: int = 1) -> TdReport:
    mac = ReportMac(
        report_type=0x81,
        subtype=0,
        version=version,
        cpu_svn=b"\x33" * 16,
        tee_tcb_info_hash=part_hash(tcb_info),
        tee_info_hash=part_hash(td_info),
        report_data=bytes(range(64)),
        mac=b"\x34" * 32,
    )
    return TdReport(mac=mac, tcb_info=tcb_info, td_info=td_info)


DATA = tdreport().build()


def refused(data: bytes, message: str, category: Category = Category.MALFORMED) -> None:
    with pytest.raises(Malformed, match=message) as caught:
        read_tdreport(data)
    assert caught.value.category is category


@pytest.mark.parametrize("layout", OFFSETS)
def test_fields_stand_where_the_specification_has_them(layout: type[Layout]) -> None:
    size, offsets = OFFSETS[layout]
    assert layout.layout_size == size
    assert {name: (place.offset, place.size) for name, place in layout.fields()} == offsets


def test_the_parts_stand_where_the_specification_has_them() -> None:
    assert len(DATA) == TDREPORT_SIZE
    assert DATA[:4].hex() == "81000100"
    assert DATA[128:192] == bytes(range(64))
    assert DATA[256:495] == TCB_INFO.build()
    assert DATA[495:512] == bytes(17)
    assert DATA[512:] == TD_INFO.build()


@pytest.mark.parametrize("version", [0, 1])
def test_a_report_is_read_and_built_again(version: int) -> None:
    report = tdreport(version=version)
    assert read_tdreport(report.build()) == report


def test_the_module_of_now_counts_only_where_it_was_filled_in() -> None:
    for valid, filled in ((0x1FF, False), (0x101FF, False), (0x201FF, False), (0x301FF, True), ((1 << 64) - 1, True)):
        found = read_tdreport(tdreport(tcb_info=replace(TCB_INFO, valid=valid)).build()).tcb_info
        assert found.current_tee_tcb_svn == (TCB_INFO.tee_tcb_svn2 if filled else None)


def test_the_td_is_told_in_the_words_of_a_quote() -> None:
    for name, _ in TdInfo.fields():
        if name != "mr_service_td":
            assert getattr(TD_INFO, name) == getattr(BODY, name)


def test_a_report_cut_or_lengthened_is_malformed() -> None:
    for data in (*(DATA[:length] for length in range(0, TDREPORT_SIZE, 13)), DATA[:-1], DATA + b"\0"):
        refused(data, f"expected 1024 bytes, got {len(data)}")


@pytest.mark.parametrize(("offset", "value"), [(0, 0), (0, 0x80), (0, 0x82), (1, 1), (2, 2), (2, 255)])
def test_another_type_subtype_or_version_is_unsupported(offset: int, value: int) -> None:
    refused(patched(DATA, offset, bytes([value])), "expected type 0x81, subtype 0", Category.UNSUPPORTED)


@pytest.mark.parametrize("offset", [3, 4, 15, 192, 223])
def test_reserved_bytes_of_the_mac_structure_are_zero(offset: int) -> None:
    refused(patched(DATA, offset, b"\1"), f"REPORTMACSTRUCT: reserved byte at {offset:#x}")


@pytest.mark.parametrize("offset", [495, 511])
def test_the_bytes_between_the_parts_are_zero(offset: int) -> None:
    refused(patched(DATA, offset, b"\1"), "reserved bytes 495 to 511")


def test_each_part_has_the_hash_that_the_mac_covers() -> None:
    for offset in (*range(256, 495, 7), 494):
        refused(patched(DATA, offset, bytes([DATA[offset] ^ 1])), "SHA-384 of TEE_TCB_INFO")
    for offset in (*range(512, 1024, 11), 1023):
        refused(patched(DATA, offset, bytes([DATA[offset] ^ 1])), "SHA-384 of TDINFO")
    refused(patched(DATA, 32, bytes([DATA[32] ^ 1])), "SHA-384 of TEE_TCB_INFO")
    refused(patched(DATA, 80, bytes([DATA[80] ^ 1])), "SHA-384 of TDINFO")


@given(st.binary(max_size=TDREPORT_SIZE + 1))
def test_any_bytes_are_a_report_or_malformed(data: bytes) -> None:
    for tried in (data, data.ljust(TDREPORT_SIZE, b"\0"), DATA[:256] + data.ljust(768, b"\0")[:768]):
        with pytest.raises(Malformed):
            read_tdreport(tried)


def test_recorded_reports_are_read_and_built_again(recorded: Path) -> None:
    cloud = recorded / "cloud"
    data = (recorded / "tdx" / "tdreport" / "tdx_report_1.bin").read_bytes()
    names = ("azure-trustee/az-tdx-vtpm/hcl-report.bin", "azure-kinvolk/hcl-report-tdx.bin")
    for report in (data, *((cloud / name).read_bytes()[32 : 32 + TDREPORT_SIZE] for name in names)):
        assert read_tdreport(report).build() == report
    assert read_tdreport(data).mac.version == 1
    assert read_tdreport(data).tcb_info.current_tee_tcb_svn == bytes.fromhex("050102").ljust(16, b"\0")


def test_a_recorded_report_that_somebody_made_up_is_refused(recorded: Path) -> None:
    made_up = (recorded / "tdx" / "tdreport" / "go-tdx-guest_report.dat").read_bytes()
    refused(made_up, "expected type 0x81", Category.UNSUPPORTED)
