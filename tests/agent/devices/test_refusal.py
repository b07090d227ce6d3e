"""What the kernel refused says where, which call, which number, and what to do."""

import errno

import pytest

from cvmproof_agent.device import DeviceLost
from cvmproof_agent.devices import tsm_entry
from cvmproof_agent.devices.refusal import Reasons, once_more, refused
from cvmproof_agent.devices.snp import guest_request
from cvmproof_agent.devices.tdx import boot_log, rtmr, tdx_guest
from cvmproof_formats.errors import DeviceError

TABLES = {
    "sev-guest": guest_request.REASONS,
    "tdx-guest": tdx_guest.REASONS,
    "configfs-tsm": tsm_entry.REASONS,
    "rtmr": rtmr.REASONS,
    "ccel": boot_log.REASONS,
}


@pytest.mark.parametrize("reasons", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EIO, errno.ENOTTY, errno.ESTALE])
def test_an_error_carries_path_call_and_errno(reasons: Reasons, number: int) -> None:
    found = refused(OSError(number, "x"), path="/dev/x", call="ioctl", reasons=reasons)
    assert (found.path, found.call, found.errno) == ("/dev/x", "ioctl", number)
    assert str(found).startswith("/dev/x: ioctl: ")
    assert errno.errorcode[number] in str(found)


@pytest.mark.parametrize(
    ("table", "number", "hint"),
    [
        ("sev-guest", errno.ENOENT, "modprobe sev-guest"),
        ("sev-guest", errno.EACCES, "group"),
        ("sev-guest", errno.EPERM, "DeviceAllow=/dev/sev-guest rw"),
        ("sev-guest", errno.ENOTTY, "restart the guest"),
        ("tdx-guest", errno.ENOENT, "modprobe tdx-guest"),
        ("tdx-guest", errno.EACCES, "group"),
        ("tdx-guest", errno.ENOTTY, "Linux 6.7"),
        ("configfs-tsm", errno.ENOENT, "mount -t configfs"),
        ("configfs-tsm", errno.ENXIO, "modprobe"),
        ("configfs-tsm", errno.EACCES, "root"),
        ("configfs-tsm", errno.EROFS, "ProtectKernelTunables"),
        ("rtmr", errno.ENOENT, "Linux 6.16"),
        ("ccel", errno.EACCES, "root"),
    ],
)
def test_an_error_says_what_to_do(table: str, number: int, hint: str) -> None:
    assert hint in refused(OSError(number, "x"), path="p", call="c", reasons=TABLES[table]).hint


@pytest.mark.parametrize(
    ("table", "numbers"),
    [
        ("sev-guest", {errno.ENOTTY, errno.EBADMSG, errno.ENOSR}),
        ("configfs-tsm", {errno.ENOTTY, errno.EBADMSG}),
        ("tdx-guest", set()),
    ],
)
def test_ac_120_only_a_lost_key_is_for_good(table: str, numbers: set[int]) -> None:
    every = {number: refused(OSError(number, "x"), path="", call="", reasons=TABLES[table]) for number in range(1, 130)}
    assert {number for number, error in every.items() if isinstance(error, DeviceLost)} == numbers
    assert all(isinstance(error, DeviceError) for error in every.values())


def test_a_loss_is_said_again_in_the_same_words() -> None:
    lost = DeviceLost("gone", path="p", call="c", errno=errno.ENOTTY, hint="restart")
    again = once_more(lost)
    assert again is not lost
    assert (str(again), again.path, again.call, again.errno, again.hint) == ("gone", "p", "c", errno.ENOTTY, "restart")
