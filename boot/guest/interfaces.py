"""What the interfaces of this machine answer to what programs do to them, right and wrong, as one JSON object.

Run in a booted guest it says what a real kernel does; run in the simulator's harness, whether that does the same.
"""

import ctypes
import errno
import fcntl
import json
import os
import struct
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

ENTRIES = Path("/sys/kernel/config/tsm/report")
ENTRY = ENTRIES / "interfaces"
SEV_GUEST, TDX_GUEST = Path("/dev/sev-guest"), Path("/dev/tdx_guest")
DATA = bytes(range(64))
# Linux include/uapi/linux/sev-guest.h and tdx-guest.h.
GET_REPORT, GET_EXT_REPORT, NO_SUCH_REQUEST = 0xC0205300, 0xC0205302, 0xC0205307
GET_REPORT0, NO_SUCH_COMMAND = 0xC4405401, 0xC0105499
PAGE = 4096


def attempt(what: Callable[[], object]) -> str:
    """Say what comes of it: the errno, or a value; of bytes only how many."""
    try:
        result = what()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    if result is None:
        return "ok"
    return f"{len(result)} bytes" if isinstance(result, bytes) else str(result)


def read(path: Path, piece: int = 1 << 20) -> bytes:
    """Read a file to its end, so many bytes at once."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        data = b""
        while more := os.read(descriptor, piece):
            data += more
        return data
    finally:
        os.close(descriptor)


def write(path: Path, data: bytes) -> str:
    """Write once and close, and say what came of each, and the generation after both."""
    descriptor = os.open(path, os.O_WRONLY)
    wrote = attempt(lambda: os.write(descriptor, data))
    closed = attempt(lambda: os.close(descriptor))
    return f"write {wrote}, close {closed}, generation {text('generation')}"


def text(name: str) -> str:
    """Read one of the entry's text attributes."""
    return read(ENTRY / name).decode("ascii").removesuffix("\n")


def kept_open() -> str:
    """Read the rest of a blob that was replaced meanwhile, through the descriptor that was open before."""
    descriptor = os.open(ENTRY / "outblob", os.O_RDONLY)
    try:
        first = os.read(descriptor, 64)
        wrote = write(ENTRY / "inblob", DATA[::-1])
        rest = attempt(lambda: os.read(descriptor, 1 << 20))
        return f"{len(first)} bytes, then {wrote}, then {rest}"
    finally:
        os.close(descriptor)


def removed_while_open() -> str:
    """Read a blob for the first time after its entry was removed."""
    descriptor = os.open(ENTRY / "outblob", os.O_RDONLY)
    try:
        removed = attempt(ENTRY.rmdir)
        return f"rmdir {removed}, read {attempt(lambda: os.read(descriptor, 64))}"
    finally:
        os.close(descriptor)


def configfs() -> dict[str, str]:
    """Try one entry of configfs-tsm, from its making to its end."""
    found = {"make": attempt(ENTRY.mkdir), "make again": attempt(ENTRY.mkdir)}
    found["make inside"] = attempt((ENTRY / "x").mkdir)
    found["attributes"] = " ".join(f"{each.name} {each.stat().st_mode:o}" for each in sorted(ENTRY.iterdir()))
    for name in ("provider", "generation", "privlevel_floor"):
        found[name] = attempt(partial(text, name))
    blobs = ("outblob", "auxblob", "manifestblob")
    for name in blobs:
        found[f"{name} before inblob"] = attempt(partial(read, ENTRY / name))
    found["inblob, 64 bytes"] = attempt(lambda: write(ENTRY / "inblob", DATA))
    for name in blobs:
        found[name] = attempt(partial(read, ENTRY / name))
    found["outblob in small pieces"] = attempt(lambda: read(ENTRY / "outblob", 100))
    found["generation after reading"] = attempt(lambda: text("generation"))
    for size in (65, 63):
        found[f"inblob, {size} bytes"] = attempt(partial(write, ENTRY / "inblob", bytes(size)))
        found[f"outblob behind {size} bytes"] = attempt(lambda: read(ENTRY / "outblob"))
    for level in ("4", "x", "-1", "3\n"):
        found[f"privlevel {level!r}"] = attempt(partial(write, ENTRY / "privlevel", level.encode()))
    found["inblob again"] = attempt(lambda: write(ENTRY / "inblob", DATA))
    found["outblob again"] = attempt(lambda: read(ENTRY / "outblob"))
    found["writing provider"] = attempt(lambda: write(ENTRY / "provider", b"x"))
    found["service_provider"] = attempt(lambda: write(ENTRY / "service_provider", b"svsm"))
    found["outblob kept open over a write"] = attempt(kept_open)
    found["inblob, 0 bytes"] = attempt(lambda: write(ENTRY / "inblob", b""))
    found["outblob of an entry that was removed"] = attempt(removed_while_open)
    found["remove again"] = attempt(ENTRY.rmdir)
    return found


def sev_request(descriptor: int, request: int, *, version: int = 1, vmpl: int = 0, room: int | None = None) -> str:
    """Ask /dev/sev-guest once, with so much room for certificates, and say everything it wrote."""
    certificates = ctypes.create_string_buffer(max(room or 0, 1))
    address = 0 if room is None else ctypes.addressof(certificates)
    question = ctypes.create_string_buffer(struct.pack("<64sI28xQI4x", DATA, vmpl, address, room or 0), 112)
    response = ctypes.create_string_buffer(4000)
    io = bytearray(struct.pack("<B7xQQQ", version, ctypes.addressof(question), ctypes.addressof(response), 0))
    result = attempt(lambda: fcntl.ioctl(descriptor, request, io, True))  # noqa: FBT003 -- as fcntl has it
    (exitinfo2,) = struct.unpack_from("<Q", io, 24)
    status, size = struct.unpack_from("<II", response.raw)
    (needed,) = struct.unpack_from("<I", question.raw, 104)
    has = "certificates" if any(certificates.raw) else "no certificates"
    return f"{result}, exitinfo2 {exitinfo2:#x}, status {status:#x}, {size} bytes, certs_len {needed}, {has}"


def sev_guest() -> dict[str, str]:
    """Try the ioctls of /dev/sev-guest."""
    descriptor = os.open(SEV_GUEST, os.O_RDWR | os.O_CLOEXEC)
    try:
        found = {
            "report": sev_request(descriptor, GET_REPORT),
            "report, version 0": sev_request(descriptor, GET_REPORT, version=0),
            "report, VMPL 9": sev_request(descriptor, GET_REPORT, vmpl=9),
            "an ioctl that is none": attempt(lambda: fcntl.ioctl(descriptor, NO_SUCH_REQUEST, bytearray(32))),
            "a struct that is nowhere": attempt(lambda: fcntl.ioctl(descriptor, GET_REPORT, 0)),
        }
        for room in (None, 0, PAGE, 100, 5 * PAGE, 2 * PAGE, 4 * PAGE):
            found[f"extended report, room {room}"] = sev_request(descriptor, GET_EXT_REPORT, room=room)
        return found
    finally:
        os.close(descriptor)


def tdx_guest() -> dict[str, str]:
    """Try the ioctls of /dev/tdx_guest."""
    descriptor = os.open(TDX_GUEST, os.O_RDWR | os.O_CLOEXEC)
    try:
        argument = bytearray(DATA + bytes(1024))
        return {
            "report": attempt(lambda: fcntl.ioctl(descriptor, GET_REPORT0, argument, True)),  # noqa: FBT003 -- as above
            "report's type and data": f"{argument[64]:#x} {argument[192:256] == DATA}",
            "an ioctl that is none": attempt(lambda: fcntl.ioctl(descriptor, NO_SUCH_COMMAND, bytearray(16))),
            "a struct that is nowhere": attempt(lambda: fcntl.ioctl(descriptor, GET_REPORT0, 0)),
        }
    finally:
        os.close(descriptor)


def main() -> None:
    """Try all there are."""
    found = {"configfs-tsm": configfs()}
    if SEV_GUEST.exists():
        found["sev-guest"] = sev_guest()
    if TDX_GUEST.exists():
        found["tdx-guest"] = tdx_guest()
    json.dump(found, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
