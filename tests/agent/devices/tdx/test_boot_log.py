"""The log that firmware left: without its filler, at most 4 MiB, and only where the ACPI table says it is a TD's."""

import logging
import os
from pathlib import Path

import pytest

from cvmproof_agent.devices.tdx.boot_log import read_boot_log
from cvmproof_formats.errors import Category, DeviceError
from cvmproof_formats.evidence_fields import EVENT_LOG_LIMIT
from cvmproof_formats.tdx.event_log import build_event_log, read_event_log
from cvmproof_simulator.tdx.td import SoftwareTd

LOG = build_event_log(read_event_log(SoftwareTd().event_log()))


def table(*, signature: bytes = b"CCEL", kind: int = 2, size: int = 56) -> bytes:
    header = signature + (56).to_bytes(4, "little") + bytes(28)
    return (header + bytes([kind, 0, 0, 0]) + (65536).to_bytes(8, "little") + bytes(8))[:size]


def read(tmp_path: Path, data: bytes | None, acpi: bytes | None = None) -> bytes | None:
    acpi = table() if acpi is None else acpi
    (tmp_path / "CCEL").write_bytes(acpi)
    if data is not None:
        (tmp_path / "data").write_bytes(data)
    return read_boot_log(str(tmp_path / "CCEL"), str(tmp_path / "data"))


@pytest.mark.parametrize("filler", [b"\xff", b"\0"])
@pytest.mark.parametrize("size", [len(LOG), len(LOG) + 8, 64 * 1024, EVENT_LOG_LIMIT])
def test_filler_is_left_out_and_nothing_else(tmp_path: Path, filler: bytes, size: int) -> None:
    assert read(tmp_path, LOG.ljust(size, filler)) == LOG


def test_a_log_whose_last_event_ends_in_what_looks_like_filler_stays_whole(tmp_path: Path) -> None:
    events = read_event_log(LOG)
    whole = build_event_log(
        type(events)(
            events=(*events.events, type(events.events[0])(index=4, type=5, digest=bytes(48), data=b"\xff" * 99))
        )
    )
    assert read(tmp_path, whole.ljust(65536, b"\xff")) == whole


@pytest.mark.parametrize("data", [b"", b"no log", LOG[:-1], b"\xff" * 1000])
def test_what_can_not_be_read_is_passed_on_as_it_is(
    tmp_path: Path, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert read(tmp_path, data) == data
    assert "passed on as it is" in caplog.text


def test_firmware_may_leave_none(tmp_path: Path) -> None:
    assert read_boot_log(str(tmp_path / "CCEL"), str(tmp_path / "data")) is None
    assert read(tmp_path, None) is None


@pytest.mark.parametrize(
    ("acpi", "why"),
    [
        (table(signature=b"TPM2"), "got b'TPM2' of type 2"),
        (table(kind=1), "of type 1"),
        (table(size=55), "expected 56 bytes, got 55"),
        (table() + b"\0", "expected at most 56 bytes"),
    ],
)
def test_another_table_is_refused(tmp_path: Path, acpi: bytes, why: str) -> None:
    with pytest.raises(DeviceError, match=why):
        read(tmp_path, LOG, acpi)


def test_a_table_of_another_technology_is_unsupported(tmp_path: Path) -> None:
    with pytest.raises(DeviceError) as caught:
        read(tmp_path, LOG, table(kind=1))
    assert caught.value.category is Category.UNSUPPORTED


def test_ac_082_a_log_without_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="expected at most 4194304 bytes, got more"):
        read(tmp_path, LOG.ljust(EVENT_LOG_LIMIT + 1, b"\xff"))


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_what_is_no_plain_file_is_refused(tmp_path: Path, kind: str) -> None:
    if kind == "link":
        (tmp_path / "CCEL").symlink_to("/dev/zero")
    else:
        (tmp_path / "CCEL").mkdir()
    with pytest.raises(DeviceError) as caught:
        read_boot_log(str(tmp_path / "CCEL"), str(tmp_path / "data"))
    assert caught.value.path == str(tmp_path / "CCEL")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may read as nobody")
def test_whoever_may_not_read_it_hears_who_may(tmp_path: Path) -> None:
    (tmp_path / "CCEL").write_bytes(table())
    (tmp_path / "CCEL").chmod(0)
    tmp_path.chmod(0o755)
    os.seteuid(65534)
    try:
        with pytest.raises(DeviceError, match="EACCES") as caught:
            read_boot_log(str(tmp_path / "CCEL"), str(tmp_path / "data"))
    finally:
        os.seteuid(0)
    assert "run as root" in caught.value.hint
