"""The filter lets through, hands over or fails exactly what it should; and the kernel takes it."""

import ctypes
import errno
import os
import platform
import subprocess
import sys

import pytest

from cvmproof_simulator.devices import notifications
from cvmproof_simulator.devices.notifications import MACHINE, Notified, install
from cvmproof_simulator.devices.supervised_calls import (
    AF_VSOCK,
    CONNECT,
    DEVICE_COMMANDS,
    DEVICES,
    IOCTL,
    NETWORK,
    OPENAT,
    SOCKET,
)
from cvmproof_simulator.devices.tdx_guest import EXTEND_RTMR, GET_QUOTE, GET_REPORT0, MVP_GET_QUOTE, MVP_GET_REPORT

ALLOW, NOTIFY, ENOSYS = 0x7FFF0000, 0x7FC00000, 0x00050000 | errno.ENOSYS
X86_64, I386 = 0xC000003E, 0x40000003
CALLS = (*NETWORK, *DEVICES)
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06


def decide(number: int, *arguments: int, architecture: int = X86_64, calls: tuple[Notified, ...] = CALLS) -> int:
    """What the filter says, by an interpreter of the four instructions that it has."""
    program = notifications._assemble(calls)
    words = {0: number, 4: architecture}
    words |= {16 + 8 * place: value & 0xFFFFFFFF for place, value in enumerate((*arguments, 0, 0, 0, 0, 0, 0)[:6])}
    place = value = 0
    while True:
        step = program.filter[place]
        place += 1
        if step.code == LOAD:
            value = words[step.k]
        elif step.code == RETURN:
            return int(step.k)
        else:
            holds = value == step.k if step.code == EQUAL else value >= step.k
            place += step.jt if holds else step.jf


@pytest.mark.parametrize("call", [each.number for each in CALLS if not each.values])
def test_what_may_be_about_a_device_is_handed_over(call: int) -> None:
    assert decide(call) == NOTIFY


@pytest.mark.parametrize("command", DEVICE_COMMANDS)
def test_a_command_of_a_device_is_handed_over_and_no_other(command: int) -> None:
    assert decide(IOCTL, 3, command) == NOTIFY
    assert decide(IOCTL, 3, command | 1 << 63) == NOTIFY  # the kernel takes 32 bits of it
    assert decide(IOCTL, 3, command + 0x10000000) == ALLOW
    assert decide(IOCTL, 3, 0x5401) == ALLOW


def test_every_command_that_is_served_is_known_to_the_filter() -> None:
    served = {GET_REPORT0, *EXTEND_RTMR, *GET_QUOTE, MVP_GET_REPORT, MVP_GET_QUOTE, 0xC0205300, 0xC0205301, 0xC0205302}
    assert served == set(DEVICE_COMMANDS)


def test_only_sockets_of_vsock_are_handed_over() -> None:
    assert [decide(SOCKET, family) for family in (AF_VSOCK, 1, 2, 10)] == [NOTIFY, ALLOW, ALLOW, ALLOW]


@pytest.mark.parametrize("number", [0, 1, 9, 59, 231, 317])
def test_everything_else_is_the_kernels(number: int) -> None:
    assert decide(number) == ALLOW


def test_what_is_not_asked_for_is_the_kernels_too() -> None:
    assert decide(OPENAT, calls=NETWORK) == ALLOW
    assert decide(CONNECT, calls=NETWORK) == NOTIFY


def test_no_way_leads_round_it() -> None:
    assert decide(425, calls=NETWORK) == ENOSYS  # io_uring_setup
    assert decide(OPENAT | 0x40000000) == ENOSYS  # x32
    assert decide(5, architecture=I386) == ENOSYS


def test_another_architecture_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(OSError, match="intercepted on x86_64 only, this is aarch64"):
        install(NETWORK)


@pytest.mark.skipif(platform.machine() != MACHINE, reason=f"there is no other way than {MACHINE}'s")
def test_without_a_supervisor_calls_fail_and_no_more() -> None:
    program = (
        "import os, sys; from cvmproof_simulator.devices.notifications import Notified, install\n"
        "os.close(install([Notified(number=39)]))\n"  # getpid
        "import ctypes; libc = ctypes.CDLL(None, use_errno=True)\n"
        "print(libc.syscall(39), ctypes.get_errno())"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout == f"-1 {errno.ENOSYS}\n"


def test_messages_have_the_kernels_sizes() -> None:
    # Linux include/uapi/linux/seccomp.h: the sizes stand in the numbers of the ioctls.
    for command, layout in (
        (0xC0502100, notifications._NOTIFICATION),
        (0xC0182101, notifications._RESPONSE),
        (0x40182103, notifications._ADD),
    ):
        assert command >> 16 & 0x3FFF == layout.size
    assert ctypes.sizeof(notifications._Instruction) == 8
    assert os.O_CLOEXEC == 0o2000000
