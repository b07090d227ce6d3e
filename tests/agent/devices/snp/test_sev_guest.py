"""/dev/sev-guest through real system calls: each way in which driver, firmware and host fail, and what comes of it."""

import errno
import os
from pathlib import Path

import pytest
from tests.agent.devices.emulated import BRIEF, DATA, as_root, emulated, sev_guest
from tests.agent.machine import eventually

from cvmproof_agent import open_device
from cvmproof_agent.device import DeviceLost
from cvmproof_agent.devices.patience import Patience
from cvmproof_agent.devices.snp.sev_guest import SevGuest
from cvmproof_agent.dispatcher import Dispatcher
from cvmproof_agent.report_check import what_was_asked
from cvmproof_formats.errors import DeviceError
from cvmproof_formats.snp.report import read_report

pytestmark = as_root
EXPECTED = open_device("simulated:snp")


def test_a_report_and_its_certificates_come_from_one_request(tmp_path: Path) -> None:
    with emulated(tmp_path) as devices, sev_guest(devices) as device:
        assert device.certificates() == ()
        assert what_was_asked(device, device.report(DATA), DATA) == EXPECTED.report(DATA)
        assert sorted(device.certificates()) == sorted(EXPECTED.certificates())
        assert device.event_log() is None
        assert devices.calls() == {"sev-guest.ext-report": 1}


def test_the_level_asked_for_is_the_kernels(tmp_path: Path) -> None:
    (tmp_path / "vmpl").write_text("2\n")
    with emulated(tmp_path, "snp,vmpl=2") as devices:
        device = SevGuest(str(devices.path("/dev/sev-guest")), vmpl_file=str(tmp_path / "vmpl"), patience=BRIEF)
        assert device.vmpl == read_report(what_was_asked(device, device.report(DATA), DATA)).vmpl == 2
        device.close()


def test_a_level_below_the_kernels_is_firmwares_no(tmp_path: Path) -> None:
    with (
        emulated(tmp_path, "snp,vmpl=2") as devices,
        sev_guest(devices) as device,
        pytest.raises(DeviceError, match="status 0x16: invalid parameters: is the VMPL"),
    ):
        device.report(DATA)


@pytest.mark.parametrize("first", [0x1000, 0x2000, 0x4000])
def test_the_certificate_buffer_grows_to_what_the_kernel_asks_for_and_stays_so(tmp_path: Path, first: int) -> None:
    with emulated(tmp_path) as devices, sev_guest(devices, certificates_size=first) as device:
        needed = 2 if first < 0x2000 else 1  # requests: the certificates take two pages
        for _ in range(3):
            device.report(DATA)
            assert sorted(device.certificates()) == sorted(EXPECTED.certificates())
        assert devices.calls() == {"sev-guest.ext-report": needed + 2}


@pytest.mark.parametrize(
    ("fault", "asked"),
    [("sev-certs-grow", 1), ("sev-certs-size=20480", 2), ("sev-certs-size=1048576", 1), ("sev-invalid-length*1", 1)],
)
def test_certificates_that_do_not_fit_cost_themselves_and_not_the_report(
    tmp_path: Path, fault: str, asked: int, caplog: pytest.LogCaptureFixture
) -> None:
    with emulated(tmp_path, faults=[fault]) as devices, sev_guest(devices) as device:
        assert what_was_asked(device, device.report(DATA), DATA)
        assert device.certificates() == ()
        calls = devices.calls()
        assert calls["sev-guest.report"] == 1
        assert calls["sev-guest.ext-report"] <= asked + 1
    assert "left out the host's certificates" in caplog.text


def test_a_buffer_that_never_is_large_enough_is_asked_for_a_bounded_number_of_times(tmp_path: Path) -> None:
    with (
        emulated(tmp_path, faults=["sev-certs-grow"]) as devices,
        sev_guest(devices, certificates_size=0x1000) as device,
    ):
        assert what_was_asked(device, device.report(DATA), DATA)
        assert devices.calls() == {"sev-guest.ext-report": 3, "sev-guest.report": 1}


@pytest.mark.parametrize("fault", ["sev-certs-none", "sev-certs-garbage"])
def test_a_host_without_certificates_or_with_a_table_that_lies_gives_none(tmp_path: Path, fault: str) -> None:
    with emulated(tmp_path, faults=[fault]) as devices, sev_guest(devices) as device:
        assert what_was_asked(device, device.report(DATA), DATA)
        assert device.certificates() == ()


def test_certificates_are_those_of_the_last_report(tmp_path: Path) -> None:
    with emulated(tmp_path) as devices, sev_guest(devices) as device:
        device.report(DATA)
        assert device.certificates()
        devices.fault("sev-status=39*1")
        with pytest.raises(DeviceError):
            device.report(DATA)
        assert device.certificates() == ()


def test_ac_120_a_busy_host_is_asked_again_after_a_pause(tmp_path: Path) -> None:
    with emulated(tmp_path, faults=["sev-busy*3"]) as devices, sev_guest(devices) as device:
        assert what_was_asked(device, device.report(DATA), DATA)
        assert devices.calls() == {"sev-guest.ext-report": 4}


@pytest.mark.parametrize(
    ("fault", "why"), [("sev-busy", "EIO.*: the VMM says 0x2, the host is busy"), ("sev-errno=EAGAIN", "EAGAIN")]
)
def test_ac_120_a_host_that_stays_busy_is_given_up_in_time_and_not_asked_in_a_tight_loop(
    tmp_path: Path, fault: str, why: str
) -> None:
    with emulated(tmp_path, faults=[fault]) as devices, sev_guest(devices, patience=BRIEF) as device:
        with pytest.raises(DeviceError, match=why) as caught:
            device.report(DATA)
        assert not isinstance(caught.value, DeviceLost)
        assert 2 <= devices.calls()["sev-guest.ext-report"] <= 2 + BRIEF.total / BRIEF.first
        devices.clear()
        assert what_was_asked(device, device.report(DATA), DATA)


@pytest.mark.parametrize(
    ("fault", "number", "why"),
    [
        ("sev-firmware=7*1", errno.EIO, "firmware says 0x7, not allowed by the guest's policy"),
        ("sev-firmware=0x27*1", errno.EIO, "firmware says 0x27, invalid key"),
        ("sev-firmware=0xff*1", errno.EIO, "firmware was not asked"),
        ("sev-vmm=0x80000000*1", errno.EIO, "the VMM says 0x80000000, the hypervisor failed"),
        ("sev-vmm=0xffffffff*1", errno.EIO, "the hypervisor failed"),
        ("sev-errno=EIO*1", errno.EIO, "firmware was not asked|neither the VMM nor firmware"),
        ("sev-throttled=20*1", errno.ETIMEDOUT, "busy for longer than the driver waits"),
        ("sev-errno=ENOSPC*1", errno.ENOSPC, "certificates do not fit"),
        ("sev-errno=EINVAL*1", errno.EINVAL, "takes no such request"),
        ("sev-errno=ENOMEM*1", errno.ENOMEM, "no memory"),
    ],
)
def test_ac_120_a_failure_is_spelled_out_once_and_the_lost_key_is_seen_with_the_next_request(
    tmp_path: Path, fault: str, number: int, why: str
) -> None:
    with emulated(tmp_path, faults=[fault]) as devices, sev_guest(devices) as device:
        with pytest.raises(DeviceError, match=why) as caught:
            device.report(DATA)
        assert (caught.value.errno, caught.value.call) == (number, "SNP_GET_EXT_REPORT")
        assert caught.value.path == str(devices.path("/dev/sev-guest"))
        assert not isinstance(caught.value, DeviceLost)
        assert devices.calls() == {"sev-guest.ext-report": 1}
        with pytest.raises(DeviceLost, match="the driver has given up its key"):
            device.report(DATA)


@pytest.mark.parametrize(
    ("fault", "number"),
    [
        ("sev-key-wiped*1", errno.ENOTTY),
        ("sev-errno=EBADMSG*1", errno.EBADMSG),
        ("sev-errno=ENOSR*1", errno.ENOSR),
    ],
)
def test_ac_120_a_lost_key_is_for_good_and_nobody_asks_again(tmp_path: Path, fault: str, number: int) -> None:
    with emulated(tmp_path, faults=[fault]) as devices, sev_guest(devices) as device:
        words = set()
        for _ in range(5):
            with pytest.raises(DeviceLost) as caught:
                device.report(DATA)
            assert caught.value.errno == number
            assert "restart the guest" in caught.value.hint
            words.add(str(caught.value))
        assert len(words) == 1
        assert devices.calls() == {"sev-guest.ext-report": 1}


def test_ac_120_the_agent_outlives_its_key_and_says_so_once(tmp_path: Path) -> None:
    told = []
    with emulated(tmp_path) as devices, sev_guest(devices) as device:
        dispatcher = Dispatcher(device, lost=lambda: told.append(1))
        try:
            assert dispatcher.submit(lambda asked: asked.report(DATA)).result(10)
            devices.fault("sev-key-wiped")
            with pytest.raises(DeviceLost):
                dispatcher.submit(lambda asked: asked.report(DATA)).result(10)
            for _ in range(3):
                with pytest.raises(DeviceLost):
                    dispatcher.submit(lambda asked: asked.report(DATA))
        finally:
            dispatcher.close(10)
        assert told == [1]
        assert devices.calls() == {"sev-guest.ext-report": 2}
        eventually(lambda: not dispatcher._thread.is_alive())


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("sev-report-data", "expected the REPORT_DATA that was asked for"),
        ("sev-vmpl=1", "expected a report of VMPL 0, got 1"),
        ("sev-vmpl=0xffffffff", "expected a report of VMPL 0, got 4294967295"),
        ("sev-report-size=1183", "expected a report of 1184 bytes, got one of 1183"),
        ("sev-report-size=0", "expected a report of 1184 bytes, got one of 0"),
        ("sev-report-size=0xffffffff", "got one of 4294967295"),
        ("sev-status=0x16", "status 0x16: invalid parameters"),
        ("sev-status=0x27", "status 0x27: invalid key"),
        ("sev-status=1", "status 0x1: unknown"),
    ],
)
def test_ac_122_another_report_than_was_asked_for_is_refused(tmp_path: Path, fault: str, why: str) -> None:
    with (
        emulated(tmp_path, faults=[fault]) as devices,
        sev_guest(devices) as device,
        pytest.raises(DeviceError, match=why),
    ):
        what_was_asked(device, device.report(DATA), DATA)


@pytest.mark.parametrize("size", [0, 63, 65])
def test_report_data_of_another_length_is_never_asked_for(tmp_path: Path, size: int) -> None:
    with emulated(tmp_path) as devices, sev_guest(devices) as device:
        with pytest.raises(DeviceError, match=f"expected 64 bytes of report data, got {size}"):
            device.report(bytes(size))
        assert devices.calls() == {}


def test_whoever_may_not_open_it_hears_who_may(tmp_path: Path) -> None:
    with emulated(tmp_path) as devices:
        tmp_path.chmod(0o755)
        path = devices.path("/dev/sev-guest")
        os.seteuid(65534)
        try:
            with pytest.raises(DeviceError, match="EACCES") as caught:
                SevGuest(str(path), vmpl_file="/none")
        finally:
            os.seteuid(0)
        assert "group" in caught.value.hint


def test_the_patience_for_a_host_is_the_drivers_own() -> None:
    assert Patience(first=2.0) == Patience(total=65.0, first=2.0, longest=2.0)
