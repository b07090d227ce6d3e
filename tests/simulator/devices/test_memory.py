"""The memory of another process is read and written exactly, or not at all."""

import ctypes
import errno
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from cvmproof_simulator.devices.memory import LONGEST, CallerMemory

HOLDING = (
    "import ctypes, sys; b = ctypes.create_string_buffer(bytes(range(64)), 64)\n"
    "print(ctypes.addressof(b), flush=True); sys.stdin.read(1); print(b.raw.hex())"
)
FAULT = os.strerror(errno.EFAULT)


@pytest.fixture
def other() -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", HOLDING]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process


def address(process: "subprocess.Popen[str]") -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def test_bytes_are_moved_there_and_back(other: "subprocess.Popen[str]") -> None:
    place, memory = address(other), CallerMemory(other.pid)
    assert memory.read(place, 64) == bytes(range(64))
    assert memory.read(place, 0) == b""
    memory.write(place + 1, b"\xff\xfe")
    output, _ = other.communicate("x", 60)
    assert output.strip() == (b"\x00\xff\xfe" + bytes(range(3, 64))).hex()


@pytest.mark.parametrize("place", [0, 1, -1, (1 << 47) - 8, 1 << 47, (1 << 64) - 8])
def test_an_address_that_nobody_has_is_a_fault(place: int) -> None:
    memory = CallerMemory(os.getpid())
    with pytest.raises(OSError, match=FAULT):
        memory.read(place, 16)
    with pytest.raises(OSError, match=FAULT):
        memory.write(place, bytes(16))


def test_more_than_there_is_or_may_be_is_a_fault(other: "subprocess.Popen[str]") -> None:
    place, memory = address(other), CallerMemory(other.pid)
    for size in (LONGEST + 1, 1 << 40):
        with pytest.raises(OSError, match=FAULT):
            memory.read(place, size)
    other.communicate("x", 60)
    with pytest.raises(OSError, match=FAULT):
        memory.read(place, 1)


def test_what_is_read_only_is_not_written() -> None:
    kept = ctypes.CDLL(None).getpid
    place = ctypes.cast(kept, ctypes.c_void_p).value
    assert place is not None
    with pytest.raises(OSError, match=FAULT):
        CallerMemory(os.getpid()).write(place, b"\0")
