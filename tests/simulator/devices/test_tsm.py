"""configfs-tsm behaves as the kernel's does: attributes, modes, generations, refusals; and fails on request."""

import errno
import hashlib
import os
import re
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from tests.simulator.devices.asking import DATA
from tests.simulator.devices.conftest import Serving

from cvmproof_formats.snp.certificate_table import read_certificate_table
from cvmproof_formats.snp.report import read_report
from cvmproof_formats.tdx.quote import read_quote
from cvmproof_simulator.devices.harness import Mounted
from cvmproof_simulator.devices.interfaces import REPORT_FOLDER
from cvmproof_simulator.devices.tsm import read_uint, services_manifest, vtpm_manifest

OTHER = bytes(reversed(DATA))
SVSM = "snp,vmpl=2"


@pytest.fixture
def snp(serving: Serving) -> Mounted:
    return serving()


def entry(devices: Mounted, name: str = "entry") -> Path:
    made = devices.path(REPORT_FOLDER) / name
    made.mkdir()
    return made


def failing(number: int) -> AbstractContextManager[object]:
    return pytest.raises(OSError, match=re.escape(os.strerror(number)))


def write(path: Path, data: bytes) -> None:
    """One write and one close, as the kernel counts them."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)


def generation(made: Path) -> int:
    return int((made / "generation").read_text())


def test_an_entry_has_the_kernels_attributes_modes_and_sizes(snp: Mounted) -> None:
    found = {path.name: (oct(path.stat().st_mode & 0o777), path.stat().st_size) for path in entry(snp).iterdir()}
    assert found == {
        "auxblob": ("0o444", 0),
        "outblob": ("0o444", 0),
        "inblob": ("0o200", 0),
        "generation": ("0o444", 4096),
        "provider": ("0o444", 4096),
        "privlevel": ("0o200", 4096),
        "privlevel_floor": ("0o444", 4096),
    }


def test_a_td_s_entries_have_fewer(serving: Serving) -> None:
    made = entry(serving(machine="tdx"))
    assert {path.name for path in made.iterdir()} == {"inblob", "outblob", "generation", "provider"}
    assert (made / "provider").read_text() == "tdx_guest\n"


def test_only_a_guest_of_an_svsm_has_its_attributes(serving: Serving) -> None:
    names = {path.name for path in entry(serving(machine=SVSM)).iterdir()}
    assert {"service_provider", "service_guid", "service_manifest_version", "manifestblob"} < names


def test_a_report_comes_with_the_hosts_certificates_in_one_generation(snp: Mounted) -> None:
    made = entry(snp)
    assert generation(made) == 0
    write(made / "inblob", DATA)
    report, table = (made / "outblob").read_bytes(), (made / "auxblob").read_bytes()
    assert read_report(report).report_data == DATA
    assert len(read_certificate_table(table)) == 3
    assert (generation(made), snp.calls()["tsm.report"]) == (1, 1)
    assert (made / "provider").read_text() == "sev_guest\n"


def test_a_quote_comes_out_of_a_td(serving: Serving) -> None:
    made = entry(serving(machine="tdx,version=5"))
    write(made / "inblob", DATA)
    assert read_quote((made / "outblob").read_bytes()).body.report_data == DATA


def test_what_was_read_is_kept_until_something_is_written(snp: Mounted) -> None:
    made = entry(snp)
    for data, times in ((DATA, 1), (OTHER, 2)):
        write(made / "inblob", data)
        for _ in range(3):
            assert read_report((made / "outblob").read_bytes()).report_data == data
        assert snp.calls()["tsm.report"] == times


def test_inblob_counts_when_it_is_closed(snp: Mounted) -> None:
    made = entry(snp)
    with (made / "inblob").open("wb", buffering=0) as file:
        file.write(DATA[:32])
        file.write(DATA[32:])
        assert generation(made) == 0
        with failing(errno.EINVAL):
            (made / "outblob").read_bytes()
    assert generation(made) == 1
    assert read_report((made / "outblob").read_bytes()).report_data == DATA


def test_too_long_an_inblob_is_efbig_and_counts_all_the_same(snp: Mounted) -> None:
    made = entry(snp)
    with failing(errno.EFBIG):
        write(made / "inblob", bytes(65))
    assert generation(made) == 1
    with failing(errno.EINVAL):
        (made / "outblob").read_bytes()


def test_a_short_inblob_fails_when_the_report_is_read(snp: Mounted) -> None:
    made = entry(snp)
    write(made / "inblob", bytes(63))
    assert generation(made) == 1
    with failing(errno.EINVAL):
        (made / "outblob").read_bytes()


def test_opening_inblob_without_writing_changes_nothing(snp: Mounted) -> None:
    made = entry(snp)
    os.close(os.open(made / "inblob", os.O_WRONLY | os.O_TRUNC))
    assert generation(made) == 0


@pytest.mark.parametrize(("name", "flags"), [("inblob", os.O_RDONLY), ("privlevel", os.O_RDWR)])
def test_what_is_to_be_written_can_not_be_read(snp: Mounted, name: str, flags: int) -> None:
    with failing(errno.EACCES):
        os.open(entry(snp) / name, flags)


@pytest.mark.parametrize("name", ["outblob", "auxblob", "generation", "provider", "privlevel_floor"])
def test_what_is_to_be_read_can_not_be_written(snp: Mounted, name: str) -> None:
    with failing(errno.EACCES):
        os.open(entry(snp) / name, os.O_WRONLY)


def test_privlevel_is_the_reports_vmpl_and_counts_as_a_write(snp: Mounted) -> None:
    made = entry(snp)
    assert (made / "privlevel_floor").read_text() == "0\n"
    write(made / "privlevel", b"3\n")
    write(made / "inblob", DATA)
    assert generation(made) == 2
    assert read_report((made / "outblob").read_bytes()).vmpl == 3


@pytest.mark.parametrize("level", [b"4", b"-1", b"x", b"", b"1x", b"0x", b"4294967295"])
def test_no_other_level_is_taken(snp: Mounted, level: bytes) -> None:
    made = entry(snp)
    if level:
        with failing(errno.EINVAL):
            write(made / "privlevel", level)
    assert generation(made) == 0


def test_a_level_above_the_floor_is_not_the_kernels(serving: Serving) -> None:
    made = entry(serving(machine=SVSM))
    assert (made / "privlevel_floor").read_text() == "2\n"
    write(made / "inblob", DATA)
    with failing(errno.EINVAL):
        (made / "outblob").read_bytes()
    with failing(errno.EINVAL):
        write(made / "privlevel", b"1")
    write(made / "privlevel", b"2")
    assert read_report((made / "outblob").read_bytes()).vmpl == 2


@pytest.mark.parametrize(
    ("guid", "manifest"),
    [(b"", services_manifest()), (b"c476f1eb-0123-45a5-9641-b4e7dde5bfe3\n", vtpm_manifest())],
)
def test_an_svsm_s_report_is_over_the_manifest_too(serving: Serving, guid: bytes, manifest: bytes) -> None:
    made = entry(serving(machine=SVSM))
    write(made / "service_provider", b"svsm\n")
    if guid:
        write(made / "service_guid", guid)
    write(made / "inblob", DATA)
    report = read_report((made / "outblob").read_bytes())
    assert (made / "manifestblob").read_bytes() == manifest
    assert (report.vmpl, report.report_data) == (0, hashlib.sha512(DATA + manifest).digest())
    assert generation(made) == (3 if guid else 2)


def test_only_the_svsm_provides_services(serving: Serving) -> None:
    made = entry(serving(machine=SVSM))
    for name, value in (("service_provider", b"other"), ("service_guid", b"x"), ("service_manifest_version", b"x")):
        with failing(errno.EINVAL):
            write(made / name, value)
    write(made / "service_manifest_version", b"7")
    write(made / "service_provider", b"svsm")
    write(made / "inblob", DATA)
    with failing(errno.EINVAL):
        (made / "outblob").read_bytes()


def test_entries_are_made_and_removed_with_all_that_is_in_them(snp: Mounted) -> None:
    made = entry(snp)
    assert snp.entries() == ("entry",)
    with failing(errno.EEXIST):
        made.mkdir()
    with failing(errno.EPERM):
        (made / "inner").mkdir()
    with failing(errno.EPERM):
        (made / "inblob").unlink()
    with failing(errno.EACCES):
        (made / "new").touch()
    with failing(errno.EPERM):
        made.rename(made.with_name("other"))
    with failing(errno.EPERM):
        made.parent.rmdir()
    made.rmdir()
    assert snp.entries() == ()
    with failing(errno.ENOENT):
        made.rmdir()


def test_an_open_blob_outlives_its_entry(snp: Mounted) -> None:
    made = entry(snp)
    write(made / "inblob", DATA)
    with (made / "outblob").open("rb") as file:
        made.rmdir()
        assert read_report(file.read()).report_data == DATA


def test_what_a_crashed_process_left_is_there(serving: Serving) -> None:
    devices = serving(leftovers=["cvmproof-1", "other"])
    assert devices.entries() == ("cvmproof-1", "other")
    assert devices.calls() == {}
    (devices.path(REPORT_FOLDER) / "cvmproof-1").rmdir()
    assert devices.entries() == ("other",)


def test_a_kernel_without_a_provider_makes_no_entries(serving: Serving) -> None:
    devices = serving(faults=["tsm-mkdir-errno=ENXIO*1"])
    with failing(errno.ENXIO):
        entry(devices)
    entry(devices)


def test_an_entry_may_refuse_to_go(snp: Mounted) -> None:
    made = entry(snp)
    snp.fault("tsm-rmdir-errno=EBUSY*1")
    with failing(errno.EBUSY):
        made.rmdir()
    made.rmdir()


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EFBIG, errno.EINVAL])
@pytest.mark.parametrize("name", ["inblob", "privlevel"])
def test_writes_fail_on_request(snp: Mounted, number: int, name: str) -> None:
    made = entry(snp)
    snp.fault(f"tsm-write-errno={number}*1")
    with failing(number):
        write(made / name, b"1")


@pytest.mark.parametrize("number", [11, errno.EBUSY, errno.EFBIG, errno.EINVAL, errno.ETIMEDOUT, errno.ENOTTY])
def test_reads_fail_on_request(snp: Mounted, number: int) -> None:
    made = entry(snp)
    write(made / "inblob", DATA)
    snp.fault(f"tsm-read-errno={number}*1")
    descriptor = os.open(made / "outblob", os.O_RDONLY)
    with failing(number):
        os.read(descriptor, 1)
    os.close(descriptor)
    assert read_report((made / "outblob").read_bytes()).report_data == DATA


def test_the_drivers_failures_are_passed_through(snp: Mounted) -> None:
    made = entry(snp)
    write(made / "inblob", DATA)
    for fault, number in (
        ("sev-status=0x16", errno.EINVAL),
        ("sev-status=0x27", errno.EINVAL),
        ("sev-status=0x22", errno.ENXIO),
        ("sev-report-size=5000", errno.ENOMEM),
        ("sev-certs-size=0x8000", errno.EIO),
        ("sev-throttled=0", errno.ETIMEDOUT),
        ("delay=0", errno.ENOTTY),
    ):
        snp.fault(f"{fault}*1")
        with failing(number):
            (made / "outblob").read_bytes()


def test_a_commit_can_get_lost(snp: Mounted) -> None:
    made = entry(snp)
    snp.fault("tsm-commit-lost*1")
    write(made / "inblob", DATA)
    assert generation(made) == 0


def test_generation_lies_on_request(snp: Mounted) -> None:
    made = entry(snp)
    snp.fault("tsm-generation-jumps*3")
    assert [generation(made) for _ in range(4)] == [1, 2, 3, 3]
    snp.fault("tsm-generation-stuck*1")
    write(made / "inblob", DATA)
    assert [generation(made) for _ in range(2)] == [3, 4]


def test_another_writer_is_seen_in_generation_and_report(snp: Mounted) -> None:
    made = entry(snp)
    write(made / "inblob", DATA)
    snp.fault("tsm-other-writer*1")
    assert read_report((made / "outblob").read_bytes()).report_data != DATA
    assert generation(made) == 2


def test_another_writer_may_come_between_report_and_certificates(snp: Mounted) -> None:
    made = entry(snp)
    write(made / "inblob", DATA)
    snp.fault("tsm-other-writer-later*1")
    assert read_report((made / "outblob").read_bytes()).report_data == DATA
    assert len(read_certificate_table((made / "auxblob").read_bytes())) == 3
    assert (generation(made), snp.calls()["tsm.report"]) == (2, 2)


def test_a_report_may_be_stale(snp: Mounted) -> None:
    made = entry(snp)
    snp.fault("tsm-stale*1")
    for data, found in ((DATA, DATA), (OTHER, DATA)):
        write(made / "inblob", data)
        assert read_report((made / "outblob").read_bytes()).report_data == found


def test_blobs_are_spoiled_on_request(snp: Mounted) -> None:
    made = entry(snp)
    write(made / "inblob", DATA)
    right = (made / "outblob").read_bytes()
    for fault, found in (("tsm-truncated=100", right[:100]), ("tsm-padded=16", right + bytes(16))):
        snp.fault(f"{fault}*1")
        assert (made / "outblob").read_bytes() == found
    for fault, found in (("tsm-auxblob-empty", b""), ("tsm-auxblob-garbage", b"\xff" * 48)):
        snp.fault(f"{fault}*1")
        assert (made / "auxblob").read_bytes() == found
    snp.fault("tsm-provider*1")
    assert (made / "provider").read_text() == "simulated_unknown\n"


def test_a_report_over_something_else_may_look_right(snp: Mounted) -> None:
    made = entry(snp)
    snp.fault("tsm-report-data*1")
    write(made / "inblob", DATA)
    assert read_report((made / "outblob").read_bytes()).report_data != DATA
    assert generation(made) == 1


@pytest.mark.parametrize(
    ("given", "number"), [("0", 0), ("3\n", 3), ("0x10", 16), ("010", 8), ("+2", 2), ("4294967295", 2**32 - 1)]
)
def test_numbers_are_read_as_the_kernel_reads_them(given: str, number: int) -> None:
    assert read_uint(given) == number


@pytest.mark.parametrize("given", ["", "\n", " 1", "1 ", "1_0", "0x", "08", "-1", "one", "1\n\n"])
def test_other_numbers_are_einval(given: str) -> None:
    with failing(errno.EINVAL):
        read_uint(given)


def test_a_number_of_more_than_32_bits_is_erange() -> None:
    with failing(errno.ERANGE):
        read_uint("4294967296")
