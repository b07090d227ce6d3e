"""/dev/tdx_guest, its forerunners and the host's quoting service, through real system calls, right and wrong."""

import errno
import os
import time
from pathlib import Path

import pytest
from tests.agent.devices.emulated import BRIEF, DATA, as_root, emulated, tdx_guest
from tests.agent.machine import SOON

from cvmproof_agent import open_device
from cvmproof_agent.devices.tdx.tdx_guest import MAINLINE, OLDER, Interface, TdxGuest
from cvmproof_agent.report_check import what_was_asked
from cvmproof_formats.binding import Tee
from cvmproof_formats.errors import DeviceError
from cvmproof_formats.tdx.quote import read_padded_quote
from cvmproof_simulator.tdx.td import SoftwareTd

pytestmark = as_root
MVP, ATTEST = OLDER
EVERY = pytest.mark.parametrize(
    ("interface", "kernel"),
    [(MAINLINE, "tdx-guest-vendor"), (MVP, "tdx-guest-mvp"), (ATTEST, "tdx-attest")],
)


@pytest.mark.parametrize("version", [4, 5])
def test_a_tdreport_becomes_a_quote_at_the_host(tmp_path: Path, version: int) -> None:
    with emulated(tmp_path, f"tdx,version={version}") as devices, tdx_guest(devices) as device:
        assert (device.tee, device.vmpl, device.name) == (Tee.TDX, None, "tdx-guest")
        quote = read_padded_quote(what_was_asked(device, device.report(DATA), DATA))
        assert quote.body.rtmrs == SoftwareTd().rtmrs
        assert device.certificates() == ()
        assert devices.calls() == {"tdx-guest.report": 1, "qgs.quote": 1}


@EVERY
def test_where_nobody_listens_the_drivers_own_quotes_are_taken(
    tmp_path: Path, interface: Interface, kernel: str
) -> None:
    with emulated(tmp_path, "tdx", interfaces=[kernel]) as devices, tdx_guest(devices, interface=interface) as device:
        assert what_was_asked(device, device.report(DATA), DATA)
        assert devices.calls()["qgs.quote"] == 1


@EVERY
def test_older_drivers_work_with_the_hosts_service_too(tmp_path: Path, interface: Interface, kernel: str) -> None:
    kernels = [kernel, "qgs"]
    with emulated(tmp_path, "tdx", interfaces=kernels) as devices, tdx_guest(devices, interface=interface) as device:
        assert what_was_asked(device, device.report(DATA), DATA)
        assert devices.calls()["qgs.quote"] == 1


def test_without_a_service_mainline_has_no_quotes_and_says_so(tmp_path: Path) -> None:
    with emulated(tmp_path, "tdx", faults=["qgs-refuses"]) as devices, tdx_guest(devices) as device:
        with pytest.raises(DeviceError, match=r"vsock 2:4050: connect: .*") as caught:
            device.report(DATA)
        assert "qgsd" in caught.value.hint
        assert devices.calls()["qgs.quote"] == 0


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("qgs-closes", "expected 4 bytes, got 0 before it hung up"),
        ("qgs-error=0x11001", "it refused, with error 0x11001"),
        ("qgs-wrong-type", "expected message type 1 .* got type 3"),
        ("qgs-wrong-version", "got type 1 of version 2"),
        ("qgs-wrong-size=17", "expected a message of 17 bytes"),
        ("qgs-wrong-quote-size=0xffffffff", "quote: expected 4294967295 bytes"),
        ("qgs-wrong-quote-size=48", "expected its end"),
        ("qgs-wrong-frame=4294967295", "expected at most 131072 bytes"),
        ("qgs-wrong-frame=15", "at least 16 bytes"),
        ("qgs-wrong-frame=100", "expected a message of"),
        ("qgs-truncated=100", "before it hung up"),
        ("qgs-truncated=2", "expected 4 bytes, got 2 before it hung up"),
        ("qgs-other-quote", "expected a quote over the REPORTDATA that was asked for"),
    ],
)
def test_ac_120_ac_122_a_service_that_refuses_or_lies_is_a_clear_error(tmp_path: Path, fault: str, why: str) -> None:
    with emulated(tmp_path, "tdx", faults=[f"{fault}*1"]) as devices, tdx_guest(devices) as device:
        with pytest.raises(DeviceError, match=why):
            device.report(DATA)
        assert what_was_asked(device, device.report(DATA), DATA)


@pytest.mark.parametrize("fault", ["qgs-hangs", "qgs-hangs-halfway", "qgs-slow"])
def test_ac_120_a_service_that_hangs_costs_its_time_and_no_more(tmp_path: Path, fault: str) -> None:
    with emulated(tmp_path, "tdx", faults=[f"{fault}*1"]) as devices, tdx_guest(devices, seconds=0.3) as device:
        started = time.monotonic()
        with pytest.raises(DeviceError, match="no answer in time"):
            device.report(DATA)
        assert time.monotonic() - started < SOON
    with emulated(tmp_path / "again", "tdx") as devices, tdx_guest(devices) as device:
        assert what_was_asked(device, device.report(DATA), DATA)


def test_what_follows_an_answer_is_not_read(tmp_path: Path) -> None:
    with emulated(tmp_path, "tdx", faults=["qgs-trailing=5000"]) as devices, tdx_guest(devices) as device:
        assert what_was_asked(device, device.report(DATA), DATA)


@pytest.mark.parametrize("number", ["EBUSY", "EAGAIN", "EINTR"])
def test_ac_120_a_busy_driver_is_asked_again_after_a_pause(tmp_path: Path, number: str) -> None:
    with emulated(tmp_path, "tdx", faults=[f"tdx-errno={number}*3"]) as devices, tdx_guest(devices) as device:
        assert what_was_asked(device, device.report(DATA), DATA)
        assert devices.calls()["tdx-guest.report"] == 4


def test_ac_120_a_driver_that_stays_busy_is_given_up_in_time(tmp_path: Path) -> None:
    with emulated(tmp_path, "tdx", faults=["tdx-errno=EBUSY"]) as devices, tdx_guest(devices, patience=BRIEF) as device:
        with pytest.raises(DeviceError, match=r"GET_REPORT: .*EBUSY.*: an earlier request"):
            device.report(DATA)
        assert 2 <= devices.calls()["tdx-guest.report"] <= 2 + BRIEF.total / BRIEF.first


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (errno.EIO, "the TDX module or the host failed"),
        (errno.EINVAL, "takes no such request"),
        (errno.EFAULT, "could not reach our memory"),
        (errno.ENOTTY, "knows no such request"),
        (errno.ETIMEDOUT, "did not answer in time"),
        (errno.EFBIG, "a quote larger than"),
    ],
)
def test_ac_120_a_driver_that_refuses_is_asked_once(tmp_path: Path, number: int, why: str) -> None:
    with emulated(tmp_path, "tdx", faults=[f"tdx-errno={number}"]) as devices, tdx_guest(devices) as device:
        with pytest.raises(DeviceError, match=f"GET_REPORT: .*{errno.errorcode[number]}.*: .*{why}") as caught:
            device.report(DATA)
        assert caught.value.errno == number
        assert devices.calls()["tdx-guest.report"] == 1


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("tdx-report-data", "expected a TDREPORT over the REPORTDATA that was asked for"),
        ("tdx-report-type", "is no TDREPORT"),
    ],
)
@EVERY
def test_ac_122_another_tdreport_never_reaches_the_host(
    tmp_path: Path, interface: Interface, kernel: str, fault: str, why: str
) -> None:
    with emulated(tmp_path, "tdx", interfaces=[kernel, "qgs"], faults=[fault]) as devices:
        with tdx_guest(devices, interface=interface) as device, pytest.raises(DeviceError, match=why):
            device.report(DATA)
        assert devices.calls()["qgs.quote"] == 0


@EVERY
@pytest.mark.parametrize(
    ("status", "why"),
    [
        (0xFFFFFFFFFFFFFFFF, "still under way"),
        (0x8000000000000000, "0x8000000000000000, error"),
        (0x8000000000000001, "quote generation service is not available"),
    ],
)
def test_ac_120_a_quote_by_ioctl_that_failed_says_its_status(
    tmp_path: Path, interface: Interface, kernel: str, status: int, why: str
) -> None:
    with (
        emulated(tmp_path, "tdx", interfaces=[kernel], faults=[f"tdx-quote-status={status}"]) as devices,
        tdx_guest(devices, interface=interface) as device,
        pytest.raises(DeviceError, match=why),
    ):
        device.report(DATA)


@pytest.mark.parametrize("size", [0, 63, 65])
def test_report_data_of_another_length_is_never_asked_for(tmp_path: Path, size: int) -> None:
    with emulated(tmp_path, "tdx") as devices, tdx_guest(devices) as device:
        with pytest.raises(DeviceError, match=f"expected 64 bytes of report data, got {size}"):
            device.report(bytes(size))
        assert devices.calls() == {}


def test_whoever_may_not_open_it_hears_who_may(tmp_path: Path) -> None:
    with emulated(tmp_path, "tdx") as devices:
        tmp_path.chmod(0o755)
        os.seteuid(65534)
        try:
            with pytest.raises(DeviceError, match="EACCES") as caught:
                TdxGuest(Interface(str(devices.path(MAINLINE.path)), MAINLINE.tdreport, MAINLINE.quotes))
        finally:
            os.seteuid(0)
        assert "group" in caught.value.hint


def test_both_ways_to_a_quote_say_the_same_of_a_td(tmp_path: Path) -> None:
    with emulated(tmp_path, "tdx,version=5") as devices, tdx_guest(devices) as device:
        assert device.report(DATA) == open_device("simulated:tdx,version=5").report(DATA)
