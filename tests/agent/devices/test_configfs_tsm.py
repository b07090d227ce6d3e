"""configfs-tsm through real system calls, of both technologies: every way in which it fails, and what is made of it."""

import errno
import os
import threading
from pathlib import Path

import pytest
from tests.agent.devices.emulated import BRIEF, DATA, ROOT, as_root, configfs, emulated, tsm_root
from tests.agent.machine import SOON

from cvmproof_agent import open_device
from cvmproof_agent.device import DeviceLost
from cvmproof_agent.devices.configfs_tsm import ConfigfsTsm
from cvmproof_agent.report_check import what_was_asked
from cvmproof_formats.binding import Tee
from cvmproof_formats.errors import Category, DeviceError
from cvmproof_formats.snp.report import read_report
from cvmproof_formats.tdx.event_log import read_event_log
from cvmproof_simulator.tdx.td import SoftwareTd

pytestmark = as_root
BOTH = pytest.mark.parametrize("machine", ["snp", "tdx"])
GAVE_UP_AFTER = 2 + BRIEF.total / BRIEF.first
"""Requests at most."""


def test_an_snp_report_and_its_certificates_come_from_one_generation(tmp_path: Path) -> None:
    expected = open_device("simulated:snp")
    with emulated(tmp_path) as devices:
        device = configfs(devices)
        assert (device.tee, device.vmpl, device.name) == (Tee.SEV_SNP, 0, "configfs-tsm (sev_guest)")
        assert device.certificates() == ()
        assert what_was_asked(device, device.report(DATA), DATA) == expected.report(DATA)
        assert sorted(device.certificates()) == sorted(expected.certificates())
        assert device.event_log() is None
        assert devices.calls()["sev-guest.ext-report"] == 1
        device.close()


@pytest.mark.parametrize("version", [4, 5])
def test_a_quote_comes_as_it_is(tmp_path: Path, version: int) -> None:
    with emulated(tmp_path, f"tdx,version={version}") as devices:
        device = configfs(devices)
        assert (device.tee, device.vmpl, device.name) == (Tee.TDX, None, "configfs-tsm (tdx_guest)")
        quote = what_was_asked(device, device.report(DATA), DATA)
        assert quote == open_device(f"simulated:tdx,version={version}").report(DATA)
        assert device.certificates() == ()


def test_a_td_has_the_log_of_its_boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cvmproof_agent.devices.tdx import boot_log  # noqa: PLC0415 -- its paths are what is changed here

    with emulated(tmp_path, "tdx") as devices:
        places = str(devices.path(boot_log.TABLE)), str(devices.path(boot_log.DATA))
        monkeypatch.setattr(boot_log.read_boot_log, "__defaults__", places)
        log = configfs(devices).event_log()
    assert log is not None
    assert len(log) < len(SoftwareTd().event_log())
    assert read_event_log(log) == read_event_log(SoftwareTd().event_log())


@pytest.mark.parametrize("level", range(4))
def test_the_level_asked_for_is_the_floor(tmp_path: Path, level: int) -> None:
    with emulated(tmp_path, f"snp,vmpl={level}") as devices:
        device = configfs(devices)
        assert device.vmpl == level
        assert read_report(what_was_asked(device, device.report(DATA), DATA)).vmpl == level


@BOTH
def test_reports_are_over_what_each_was_asked_for(tmp_path: Path, machine: str) -> None:
    with emulated(tmp_path, machine) as devices:
        device = configfs(devices)
        for number in range(5):
            assert what_was_asked(device, device.report(bytes([number]) * 64), bytes([number]) * 64)


@BOTH
@pytest.mark.parametrize("number", ["EBUSY", "EAGAIN", "ENOENT"])
def test_ac_120_what_may_pass_is_asked_for_again_in_an_entry_of_its_own(
    tmp_path: Path, machine: str, number: str
) -> None:
    with emulated(tmp_path, machine) as devices:
        device = configfs(devices)
        devices.reset()
        devices.fault(f"tsm-read-errno={number}*3")
        assert what_was_asked(device, device.report(DATA), DATA)
        assert devices.calls()["tsm.mkdir"] == devices.calls()["tsm.rmdir"] == 4


@BOTH
@pytest.mark.parametrize("number", [errno.EBUSY, errno.EAGAIN])
def test_ac_120_what_does_not_pass_is_given_up_in_time(tmp_path: Path, machine: str, number: int) -> None:
    with emulated(tmp_path, machine, faults=[f"tsm-read-errno={number}"]) as devices:
        device = configfs(devices, patience=BRIEF)
        devices.reset()
        with pytest.raises(
            DeviceError, match=f"outblob: read: .*{errno.errorcode[number]}.*; gave up asking"
        ) as caught:
            device.report(DATA)
        assert caught.value.errno == number
        assert 2 <= devices.calls()["tsm.mkdir"] <= GAVE_UP_AFTER
        devices.clear()
        assert what_was_asked(device, device.report(DATA), DATA)


@BOTH
@pytest.mark.parametrize(
    ("number", "why"),
    [
        (errno.EFBIG, "more than the kernel passes on"),
        (errno.EINVAL, "takes no such request"),
        (errno.ENXIO, "no provider of reports is registered"),
        (errno.ETIMEDOUT, "did not answer in the kernel's time"),
        (errno.EIO, "firmware or host failed"),
        (errno.ENOMEM, "no memory"),
    ],
)
def test_ac_120_what_will_not_pass_is_asked_for_once(tmp_path: Path, machine: str, number: int, why: str) -> None:
    with emulated(tmp_path, machine) as devices:
        device = configfs(devices)
        devices.reset()
        devices.fault(f"tsm-read-errno={number}")
        with pytest.raises(DeviceError, match=f"outblob: read: .*{errno.errorcode[number]}.*{why}") as caught:
            device.report(DATA)
        assert (caught.value.call, caught.value.errno) == ("read", number)
        assert devices.calls()["tsm.mkdir"] == 1


@pytest.mark.parametrize("fault", ["sev-key-wiped", "sev-errno=EBADMSG"])
def test_ac_120_a_lost_key_is_for_good_and_nobody_asks_again(tmp_path: Path, fault: str) -> None:
    with emulated(tmp_path) as devices:
        device = configfs(devices)
        devices.reset()
        devices.fault(fault)
        for _ in range(4):
            with pytest.raises(DeviceLost, match=r"(given|gives) up its key"):
                device.report(DATA)
        assert devices.calls()["tsm.mkdir"] == 1


@BOTH
@pytest.mark.parametrize("number", [errno.EFBIG, errno.EINVAL, errno.EIO])
def test_ac_120_a_write_that_fails_says_so(tmp_path: Path, machine: str, number: int) -> None:
    with emulated(tmp_path, machine) as devices:
        device = configfs(devices)
        devices.fault(f"tsm-write-errno={number}*1")
        with pytest.raises(DeviceError, match=f"inblob: write: .*{errno.errorcode[number]}"):
            device.report(DATA)
        assert what_was_asked(device, device.report(DATA), DATA)


@BOTH
def test_ac_120_a_write_that_is_too_early_is_written_again(tmp_path: Path, machine: str) -> None:
    with emulated(tmp_path, machine) as devices:
        device = configfs(devices)
        devices.fault("tsm-write-errno=EBUSY*2")
        assert what_was_asked(device, device.report(DATA), DATA)


def test_ac_120_a_level_that_can_not_be_written_says_so(tmp_path: Path) -> None:
    with emulated(tmp_path, "snp,vmpl=1") as devices:
        device = configfs(devices)
        devices.fault("tsm-write-errno=EINVAL*1")
        with pytest.raises(DeviceError, match=r"privlevel: write: .*EINVAL"):
            device.report(DATA)


@BOTH
@pytest.mark.parametrize(
    "fault",
    ["tsm-generation-jumps*2", "tsm-other-writer*1", "tsm-commit-lost*1", "tsm-generation-stuck*2"],
)
def test_ac_121_another_writer_is_noticed_and_costs_a_new_entry(tmp_path: Path, machine: str, fault: str) -> None:
    with emulated(tmp_path, machine) as devices:
        device = configfs(devices)
        devices.reset()
        devices.fault(fault)
        assert what_was_asked(device, device.report(DATA), DATA)
        assert devices.calls()["tsm.mkdir"] == 2


def test_ac_121_a_write_between_report_and_certificates_is_noticed(tmp_path: Path) -> None:
    with emulated(tmp_path) as devices:
        device = configfs(devices)
        devices.reset()
        devices.fault("tsm-other-writer-later*1")
        assert what_was_asked(device, device.report(DATA), DATA)
        assert device.certificates()
        assert devices.calls()["tsm.mkdir"] == 2


@BOTH
@pytest.mark.parametrize(
    "fault", ["tsm-generation-jumps", "tsm-generation-stuck", "tsm-other-writer", "tsm-commit-lost"]
)
def test_ac_121_a_generation_that_always_or_never_changes_is_unavailable_in_time(
    tmp_path: Path, machine: str, fault: str
) -> None:
    with emulated(tmp_path, machine) as devices:
        device = configfs(devices, patience=BRIEF)
        devices.reset()
        devices.fault(fault)
        with pytest.raises(DeviceError, match=r"generation: expected .* somebody else writes there; gave up") as caught:
            device.report(DATA)
        assert caught.value.category is Category.UNAVAILABLE
        assert 2 <= devices.calls()["tsm.mkdir"] <= GAVE_UP_AFTER
        assert devices.calls()["tsm.mkdir"] == devices.calls()["tsm.rmdir"]


@BOTH
def test_ac_121_another_writer_in_earnest_never_gets_its_data_into_our_report(tmp_path: Path, machine: str) -> None:
    over = threading.Event()
    with emulated(tmp_path, machine) as devices:
        root, device = Path(tsm_root(devices)), configfs(devices, patience=BRIEF)
        written = []

        def write() -> None:
            while not over.is_set():
                for entry in devices.entries():
                    try:
                        (root / entry / "inblob").write_bytes(b"\xee" * 64)
                        written.append(entry)
                    except OSError:
                        continue

        other = threading.Thread(target=write)
        other.start()
        answers = 0
        try:
            for _ in range(4):
                try:
                    assert what_was_asked(device, device.report(DATA), DATA)
                    answers += 1
                except DeviceError as error:
                    assert "somebody else writes there" in str(error)  # noqa: PT017 -- an answer is as good
        finally:
            over.set()
            other.join(SOON)
        assert written or answers == 4


@BOTH
@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("tsm-report-data", "expected the REPORT_DATA that was asked for"),
        ("tsm-truncated=1000", "is no (report|quote)"),
        ("tsm-truncated=0", "is no (report|quote)"),
        ("tsm-padded=70000", "outblob: expected at most 65536 bytes, got more"),
        ("tsm-provider", "provider: expected .*_guest, got 'simulated_unknown'"),
    ],
)
def test_ac_122_another_answer_than_was_asked_for_is_refused(
    tmp_path: Path, machine: str, fault: str, why: str
) -> None:
    with emulated(tmp_path, machine) as devices:
        device = configfs(devices)
        devices.fault(fault)
        with pytest.raises(DeviceError, match=why):
            what_was_asked(device, device.report(DATA), DATA)


def test_ac_122_a_report_of_another_level_is_refused(tmp_path: Path) -> None:
    with emulated(tmp_path, faults=["sev-vmpl=1"]) as devices:
        device = configfs(devices)
        with pytest.raises(DeviceError, match="expected a report of VMPL 0, got 1"):
            what_was_asked(device, device.report(DATA), DATA)


def test_a_quote_may_have_zeros_behind_it(tmp_path: Path) -> None:
    with emulated(tmp_path, "tdx", faults=["tsm-padded=3000"]) as devices:
        device = configfs(devices)
        assert what_was_asked(device, device.report(DATA), DATA) == open_device("simulated:tdx").report(DATA)


@pytest.mark.parametrize("fault", ["tsm-auxblob-empty", "tsm-auxblob-garbage", "sev-certs-none", "sev-certs-garbage"])
def test_certificates_that_are_none_cost_themselves(tmp_path: Path, fault: str) -> None:
    with emulated(tmp_path, faults=[fault]) as devices:
        device = configfs(devices)
        assert what_was_asked(device, device.report(DATA), DATA)
        assert device.certificates() == ()


def test_certificates_are_those_of_the_last_report(tmp_path: Path) -> None:
    with emulated(tmp_path) as devices:
        device = configfs(devices)
        device.report(DATA)
        assert device.certificates()
        devices.fault("tsm-read-errno=EFBIG*1")
        with pytest.raises(DeviceError):
            device.report(DATA)
        assert device.certificates() == ()


@BOTH
@pytest.mark.parametrize("size", [0, 63, 65])
def test_report_data_of_another_length_is_never_asked_for(tmp_path: Path, machine: str, size: int) -> None:
    with emulated(tmp_path, machine) as devices:
        device = configfs(devices)
        devices.reset()
        with pytest.raises(DeviceError, match=f"expected 64 bytes of report data, got {size}"):
            device.report(bytes(size))
        assert devices.calls() == {}


@BOTH
@pytest.mark.parametrize(
    ("number", "hint"), [(errno.ENXIO, "modprobe"), (errno.EACCES, "root"), (errno.EROFS, "ProtectKernelTunables")]
)
def test_an_entry_that_can_not_be_made_says_why_and_what_to_do(
    tmp_path: Path, machine: str, number: int, hint: str
) -> None:
    with emulated(tmp_path, machine, faults=[f"tsm-mkdir-errno={number}"]) as devices:
        with pytest.raises(DeviceError, match=f"mkdir: .*{errno.errorcode[number]}") as caught:
            configfs(devices)
        assert (caught.value.path, caught.value.call, caught.value.errno) == (tsm_root(devices), "mkdir", number)
        assert hint in caught.value.hint


def test_where_the_folder_went_away_nobody_waits_for_it(tmp_path: Path) -> None:
    with emulated(tmp_path) as devices:
        device = configfs(devices)
        devices.reset()
        devices.fault("tsm-mkdir-errno=ENOENT")
        with pytest.raises(DeviceError, match=r"mkdir: .*ENOENT"):
            device.report(DATA)
        assert devices.calls() == {"tsm.mkdir": 1}


def test_a_provider_of_another_technology_is_unsupported(tmp_path: Path) -> None:
    with emulated(tmp_path, faults=["tsm-provider"]) as devices:
        with pytest.raises(DeviceError, match="expected sev_guest or tdx_guest, got 'simulated_unknown'") as caught:
            configfs(devices)
        assert caught.value.category is Category.UNSUPPORTED


def test_whoever_may_not_make_entries_hears_who_may(tmp_path: Path) -> None:
    with emulated(tmp_path) as devices:
        tmp_path.chmod(0o755)
        os.seteuid(65534)
        try:
            with pytest.raises(DeviceError, match="EACCES") as caught:
                configfs(devices)
        finally:
            os.seteuid(0)
        assert "run as root" in caught.value.hint


def test_an_entry_that_can_not_be_removed_is_said_and_costs_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with emulated(tmp_path) as devices:
        device = configfs(devices)
        devices.fault("tsm-rmdir-errno=EBUSY*1")
        assert what_was_asked(device, device.report(DATA), DATA)
        assert "rmdir: could not be removed, and stays" in caplog.text
        (left,) = devices.entries()
        os.rmdir(f"{tsm_root(devices)}/{left}")  # noqa: PTH106 -- what a shell would do


def test_ac_128_what_a_killed_process_left_is_gone_at_the_next_start_and_nothing_else(tmp_path: Path) -> None:
    others = ["report0", f"cvmproof-1-{Path('/proc/1/stat').read_text().rpartition(')')[2].split()[19]}-00"]
    leftovers = ["cvmproof-4194303-1-0123456789abcdef", *others]
    with emulated(tmp_path, leftovers=leftovers) as devices:
        configfs(devices)
        assert sorted(devices.entries()) == sorted(others)


def test_the_default_is_the_kernels_own_path() -> None:
    assert ConfigfsTsm.__init__.__defaults__ == (ROOT,)
