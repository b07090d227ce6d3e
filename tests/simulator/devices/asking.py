"""Asks devices by real system calls, as a program in a guest does; the standard library only."""

import ctypes
import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

GET_REPORT, GET_DERIVED_KEY, GET_EXT_REPORT = 0xC0205300, 0xC0205301, 0xC0205302
GET_REPORT0 = 0xC4405401
INVALID_LENGTH = 1 << 32
DATA = bytes(range(64))
UNTOUCHED = 0x5555


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back: errno or 0, exitinfo2, the response's bytes, certs_len, the certificates' buffer."""

    errno: int
    exitinfo2: int
    response: bytes
    certs_len: int = 0
    certificates: bytes = b""

    @property
    def status(self) -> int:
        return int.from_bytes(self.response[:4], "little")

    @property
    def stated_size(self) -> int:
        return int.from_bytes(self.response[4:8], "little")

    @property
    def report(self) -> bytes:
        return self.response[0x20 : 0x20 + 1184]


@contextmanager
def opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def control(path: Path, command: int, argument: bytearray) -> int:
    """One ioctl; gives errno, 0 where it succeeded."""
    with opened(path) as descriptor:
        try:
            fcntl.ioctl(descriptor, command, argument, True)  # noqa: FBT003 -- fcntl takes no names
        except OSError as error:
            return error.errno or 0
    return 0


def guest_request(
    path: Path, command: int, request: bytes, response_size: int, *, version: int = 1, pointers: bool = True
) -> Answered:
    asked = ctypes.create_string_buffer(request, len(request))
    answer = ctypes.create_string_buffer(response_size)
    here, there = (ctypes.addressof(asked), ctypes.addressof(answer)) if pointers else (0, 0)
    argument = bytearray(struct.pack("<B7xQQQ", version, here, there, UNTOUCHED))
    number = control(path, command, argument)
    (exitinfo2,) = struct.unpack_from("<Q", argument, 24)
    certs_len = int.from_bytes(asked.raw[104:108], "little")
    return Answered(number, exitinfo2, answer.raw, certs_len)


def report(path: Path, data: bytes = DATA, *, vmpl: int = 0, version: int = 1, rest: bytes = bytes(28)) -> Answered:
    return guest_request(path, GET_REPORT, data + struct.pack("<I", vmpl) + rest, 4000, version=version)


def ext_report(path: Path, size: int, *, vmpl: int = 0, address: int | None = None) -> Answered:
    buffer = ctypes.create_string_buffer(max(size, 1))
    place = ctypes.addressof(buffer) if address is None else address
    request = DATA + struct.pack("<I28xQI4x", vmpl, place, size)
    found = guest_request(path, GET_EXT_REPORT, request, 4000)
    return Answered(found.errno, found.exitinfo2, found.response, found.certs_len, buffer.raw[:size])


def derived_key(path: Path, **fields: int) -> Answered:
    names = ("root_key_select", "reserved", "guest_field_select", "vmpl", "guest_svn", "tcb_version")
    request = struct.pack("<IIQIIQ", *(fields.get(name, 0) for name in names))
    return guest_request(path, GET_DERIVED_KEY, request, 64)


def tdreport(path: Path, data: bytes = DATA) -> tuple[int, bytes]:
    """Gives errno and 1024 bytes."""
    argument = bytearray(data + bytes(1024))
    return control(path, GET_REPORT0, argument), bytes(argument[64:])
