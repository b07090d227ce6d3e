"""/dev/sev-guest answers real ioctls with nested pointers as the kernel's driver does, and fails as it does."""

import errno
import os
import struct
import threading
from pathlib import Path

import pytest
from tests.simulator.devices.asking import (
    DATA,
    GET_REPORT,
    INVALID_LENGTH,
    UNTOUCHED,
    control,
    derived_key,
    ext_report,
    guest_request,
    opened,
    report,
)
from tests.simulator.devices.conftest import Serving

from cvmproof_formats.errors import Malformed
from cvmproof_formats.snp.certificate_table import ARK, ASK, VCEK, VLEK, read_certificate_table
from cvmproof_formats.snp.report import read_report
from cvmproof_simulator.machines.snp import read_snp

PAGE = 4096
ENOUGH = 4 * PAGE


def device(serving: Serving, machine: str = "snp", **options: object) -> Path:
    return serving(machine=machine, **options).path("/dev/sev-guest")


def test_a_report_is_the_simulated_chips_own(serving: Serving) -> None:
    answer = report(device(serving, "snp,product=Turin,chip=a"))
    assert (answer.errno, answer.status, answer.stated_size) == (0, 0, 1184)
    assert answer.report == read_snp(["product=Turin", "chip=a"]).psp.report(DATA)
    assert answer.response[0x20 + 1184 :].strip(b"\0") == b""


def test_success_leaves_exitinfo2_alone_and_refusal_writes_it(serving: Serving) -> None:
    path = device(serving)
    assert report(path).exitinfo2 == UNTOUCHED
    assert (report(path, version=0).errno, report(path, version=0).exitinfo2) == (errno.EINVAL, UNTOUCHED)
    refused = guest_request(path, GET_REPORT, bytes(96), 4000, pointers=False)
    assert (refused.errno, refused.exitinfo2) == (errno.EINVAL, 0xFF)


def test_an_unknown_command_is_refused(serving: Serving) -> None:
    path = device(serving)
    assert guest_request(path, 0xC0205303, bytes(96), 4000).errno == errno.ENOTTY
    assert control(path, 0x5300, bytearray(32)) == errno.EINVAL  # the version comes first


def test_pointers_that_lead_nowhere_are_efault(serving: Serving) -> None:
    path = device(serving)
    for pointers in ((1, 1), (1 << 46, 1 << 46), (1 << 63, 1 << 63), ((1 << 64) - 8, 8)):
        argument = bytearray(struct.pack("<B7xQQQ", 1, *pointers, 0))
        assert control(path, GET_REPORT, argument) == errno.EFAULT
        assert struct.unpack_from("<Q", argument, 24) == (0xFF,)


def test_nobody_reads_or_writes_it(serving: Serving) -> None:
    with opened(device(serving)) as descriptor:
        for call in (lambda: os.read(descriptor, 1), lambda: os.write(descriptor, b"x")):
            with pytest.raises(OSError, match="Invalid argument"):
                call()


@pytest.mark.parametrize(("machine", "vmpl", "status"), [("snp", 0, 0), ("snp", 3, 0), ("snp", 4, 0x16)])
def test_a_level_is_put_into_the_report_or_refused(serving: Serving, machine: str, vmpl: int, status: int) -> None:
    answer = report(device(serving, machine), vmpl=vmpl)
    assert (answer.errno, answer.status) == (0, status)
    if not status:
        assert read_report(answer.report).vmpl == vmpl


def test_a_kernel_below_an_svsm_can_not_speak_for_it(serving: Serving) -> None:
    path = device(serving, "snp,vmpl=2")
    assert [report(path, vmpl=level).status for level in range(4)] == [0x16, 0x16, 0, 0]


@pytest.mark.parametrize(("selection", "status"), [(0, 0), (1, 0), (2, 0x27), (3, 0x16), (4, 0x16)])
def test_a_key_that_is_not_there_can_not_be_selected(serving: Serving, selection: int, status: int) -> None:
    assert report(device(serving), rest=struct.pack("<I24x", selection)).status == status


def test_reserved_bytes_must_be_zero(serving: Serving) -> None:
    assert report(device(serving), rest=bytes(27) + b"\x01").status == 0x16


def test_certificates_are_asked_for_by_size_first(serving: Serving) -> None:
    path = device(serving)
    for size in (0, PAGE):
        asked = ext_report(path, size)
        assert (asked.errno, asked.exitinfo2, asked.certs_len) == (errno.EIO, INVALID_LENGTH, 2 * PAGE)
    answer = ext_report(path, 2 * PAGE)
    assert (answer.errno, answer.exitinfo2, answer.status) == (0, UNTOUCHED, 0)
    assert [entry.guid for entry in read_certificate_table(answer.certificates)] == [VCEK, ASK, ARK]
    assert ext_report(path, 2 * PAGE, address=0).errno == errno.EIO


def test_a_provider_s_key_comes_with_its_own_certificate(serving: Serving) -> None:
    table = read_certificate_table(ext_report(device(serving, "snp,key=VLEK"), ENOUGH).certificates)
    assert [entry.guid for entry in table] == [VLEK, ASK, ARK]


@pytest.mark.parametrize("size", [1, PAGE - 1, PAGE + 1, 5 * PAGE])
def test_a_buffer_of_no_pages_or_too_many_is_einval(serving: Serving, size: int) -> None:
    answer = ext_report(device(serving), size)
    assert (answer.errno, answer.exitinfo2) == (errno.EINVAL, 0xFF)


def test_certificates_that_can_not_be_written_are_efault(serving: Serving) -> None:
    assert ext_report(device(serving), ENOUGH, address=1).errno == errno.EFAULT


def test_a_host_without_certificates_gives_zeros(serving: Serving) -> None:
    path = device(serving, faults=["sev-certs-none"])
    assert ext_report(path, 0).errno == 0
    answer = ext_report(path, PAGE)
    assert (answer.errno, answer.certificates) == (0, bytes(PAGE))


def test_a_host_may_ask_for_more_each_time(serving: Serving) -> None:
    path = device(serving, faults=["sev-certs-grow"])
    assert [ext_report(path, pages * PAGE).certs_len for pages in range(5)] == [PAGE * n for n in range(1, 6)]


def test_a_host_may_ask_for_more_than_there_can_be(serving: Serving) -> None:
    asked = ext_report(device(serving, faults=["sev-certs-size=0x100000*1"]), ENOUGH)
    assert (asked.errno, asked.exitinfo2, asked.certs_len) == (errno.EIO, INVALID_LENGTH, 0x100000)


def test_a_host_may_lie_about_its_certificates(serving: Serving) -> None:
    answer = ext_report(device(serving, faults=["sev-certs-garbage"]), PAGE)
    assert answer.errno == 0
    with pytest.raises(Malformed, match="certificate table"):
        read_certificate_table(answer.certificates)


@pytest.mark.parametrize(
    ("fault", "number", "exitinfo2"),
    [("sev-busy", errno.EIO, 2 << 32), ("sev-invalid-length", errno.EIO, 1 << 32), ("sev-errno=EAGAIN", 11, UNTOUCHED)],
)
def test_after_some_failures_the_key_is_still_there(serving: Serving, fault: str, number: int, exitinfo2: int) -> None:
    path = device(serving, faults=[f"{fault}*2"])
    for _ in range(2):
        failed = report(path)
        assert (failed.errno, failed.exitinfo2) == (number, exitinfo2)
    assert report(path).errno == 0


@pytest.mark.parametrize(
    ("fault", "number", "exitinfo2"),
    [
        ("sev-throttled=10", errno.ETIMEDOUT, 2 << 32),
        ("sev-firmware=0x1A", errno.EIO, 0x1A),
        ("sev-vmm=0x80000000", errno.EIO, 0x80000000 << 32),
        ("sev-errno=EBADMSG", errno.EBADMSG, UNTOUCHED),
        ("sev-errno=ENOSPC", errno.ENOSPC, UNTOUCHED),
        ("sev-errno=EIO", errno.EIO, UNTOUCHED),
        ("sev-key-wiped", errno.ENOTTY, 0xFF),
    ],
)
def test_after_others_the_driver_has_wiped_its_key(serving: Serving, fault: str, number: int, exitinfo2: int) -> None:
    path = device(serving, faults=[f"{fault}*1"])
    failed = report(path)
    assert (failed.errno, failed.exitinfo2) == (number, exitinfo2)
    for answer in (report(path), ext_report(path, ENOUGH), derived_key(path)):
        assert (answer.errno, answer.exitinfo2) == (errno.ENOTTY, 0xFF)


def test_a_report_can_be_wrong_in_every_way(serving: Serving) -> None:
    devices = serving()
    path = devices.path("/dev/sev-guest")
    devices.fault("sev-report-data*1")
    assert read_report(report(path).report).report_data != DATA
    devices.fault("sev-vmpl=3*1")
    assert read_report(report(path).report).vmpl == 3
    devices.fault("sev-report-size=1000*1")
    short = report(path)
    assert (short.stated_size, short.report[1000:]) == (1000, bytes(184))
    devices.fault("sev-status=0x22*1")
    failed = report(path)
    assert (failed.errno, failed.status, failed.report) == (0, 0x22, bytes(1184))
    assert read_report(report(path).report).report_data == DATA


def test_a_derived_key_follows_from_what_was_selected(serving: Serving) -> None:
    here = device(serving)
    other = device(serving, f"snp,measurement={'ab' * 48}")
    plain = derived_key(here)
    assert (plain.errno, plain.status, len(plain.response.strip(b"\0"))) == (0, 0, 32)
    assert derived_key(here).response == plain.response == derived_key(other).response
    measured = derived_key(here, guest_field_select=8)
    assert len({plain.response, measured.response, derived_key(other, guest_field_select=8).response}) == 3


@pytest.mark.parametrize(
    "fields",
    [
        {"root_key_select": 2},
        {"reserved": 1},
        {"vmpl": 4},
        {"guest_svn": 1},
        {"tcb_version": 1 << 63},
        {"guest_field_select": 0x40},
    ],
)
def test_a_key_that_nobody_may_have_is_not_derived(serving: Serving, fields: dict[str, int]) -> None:
    answer = derived_key(device(serving), **fields)
    assert (answer.errno, answer.status, answer.response[0x20:]) == (0, 0x16, bytes(32))


def test_what_was_asked_is_counted(serving: Serving) -> None:
    devices = serving()
    path = devices.path("/dev/sev-guest")
    report(path)
    ext_report(path, ENOUGH)
    derived_key(path)
    assert devices.calls() == {"sev-guest.report": 1, "sev-guest.ext-report": 1, "sev-guest.derived-key": 1}
    devices.reset()
    assert devices.calls() == {}


def test_threads_are_answered_each_with_its_own_report(serving: Serving) -> None:
    path = device(serving)
    found: dict[int, bytes] = {}

    def ask(number: int) -> None:
        data = bytes((number,)) * 64
        found[number] = read_report(report(path, data).report).report_data

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: bytes((number,)) * 64 for number in range(20)}
