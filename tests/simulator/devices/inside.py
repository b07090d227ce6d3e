"""What a command in the harness sees, as one JSON object; run by any Python, with its standard library only."""

import ctypes
import errno
import fcntl
import json
import os
import socket
import stat
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

DATA = bytes(range(64))
TSM = "/sys/kernel/config/tsm/report"


def failing(action: Callable[[], object]) -> object:
    """What an action gives, or the name of its error."""
    try:
        return action()
    except OSError as error:
        return errno.errorcode[error.errno or 0]


def names(folder: str) -> list[str]:
    """What is in a folder."""
    return sorted(path.name for path in Path(folder).iterdir())


def start(path: str) -> str:
    """The first 64 bytes of a file, in hexadecimal."""
    return Path(path).read_bytes()[:64].hex()


def snp(path: str) -> str:
    """A report over DATA, in hexadecimal."""
    request = ctypes.create_string_buffer(DATA + bytes(32), 96)
    response = ctypes.create_string_buffer(4000)
    argument = bytearray(struct.pack("<B7xQQQ", 1, ctypes.addressof(request), ctypes.addressof(response), 0))
    with Path(path).open("r+b", buffering=0) as device:
        fcntl.ioctl(device, 0xC0205300, argument)
    return response.raw[32:1216].hex()


def tdx(path: str) -> str:
    """A TDREPORT over DATA, in hexadecimal."""
    argument = bytearray(DATA + bytes(1024))
    with Path(path).open("r+b", buffering=0) as device:
        fcntl.ioctl(device, 0xC4405401, argument)
    return argument[64:].hex()


def quote(report: str, port: int = 4050, cid: int = 2, *, blocking: bool = True) -> str:
    """A quote of a TDREPORT from the service, in hexadecimal."""
    with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as service:
        service.settimeout(None if blocking else 0)
        service.connect((cid, port))
        if os.get_blocking(service.fileno()) != blocking:
            return "blocks otherwise than before"
        service.settimeout(None)
        message = struct.pack("<HHIIIII", 1, 1, 0, 1048, 0, 1024, 0) + bytes.fromhex(report)
        service.sendall(struct.pack(">I", len(message)) + message)
        (size,) = struct.unpack(">I", service.recv(4, socket.MSG_WAITALL))
        return service.recv(size, socket.MSG_WAITALL)[24:].hex()


def tsm() -> str:
    """A report or quote over DATA, in hexadecimal."""
    entry = Path(TSM) / "entry"
    entry.mkdir()
    try:
        (entry / "inblob").write_bytes(DATA)
        return (entry / "outblob").read_bytes().hex()
    finally:
        entry.rmdir()


def seen(path: str) -> dict[str, object]:
    """How a device looks."""
    with Path(path).open("rb", buffering=0) as device:
        held = os.fstat(device.fileno())
    found = Path(path).stat()
    linked = Path(path).lstat()
    return {
        "kind": {stat.S_IFMT(each.st_mode) for each in (found, held, linked)}.pop(),
        "kinds": len({(each.st_mode, each.st_rdev) for each in (found, held, linked)}),
        "mode": stat.S_IMODE(found.st_mode),
        "access": os.access(path, os.R_OK | os.W_OK),
        "exists": Path(path).exists(),
    }


def other_ioctl() -> None:
    """A device's command on something that is none."""
    with Path("/dev/null").open("r+b", buffering=0) as other:
        fcntl.ioctl(other, 0xC0205300, bytearray(32))


def rate(path: str, command: int, size: int) -> float:
    """Calls of a second that fail or succeed."""
    with Path(path).open("r+b", buffering=0) as device:
        started = time.monotonic()
        for _ in range(2000):
            failing(lambda: fcntl.ioctl(device, command, bytearray(size)))
        return 2000 / (time.monotonic() - started)


def io_uring() -> str:
    """The name of what becomes of an attempt to go round what looks at system calls."""
    libc = ctypes.CDLL(None, use_errno=True)
    return errno.errorcode[ctypes.get_errno()] if libc.syscall(425, 1, 0) == -1 else "made"


def hide() -> None:
    """Be a process that lets nobody look into it, as those are that hold keys."""
    ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)


ANSWERS: dict[str, Callable[[], object]] = {
    "user": os.getuid,
    "dev": lambda: names("/dev"),
    "kernel": lambda: names("/sys/kernel"),
    "snp": lambda: snp("/dev/sev-guest"),
    "snp-seen": lambda: seen("/dev/sev-guest"),
    "snp-again": lambda: snp("/dev/../dev/sev-guest"),
    "tdx": lambda: tdx("/dev/tdx_guest"),
    "tdx-seen": lambda: seen("/dev/tdx_guest"),
    "tsm": tsm,
    "quote": lambda: quote(tdx("/dev/tdx_guest")),
    "quote-unblocked": lambda: quote(tdx("/dev/tdx_guest"), blocking=False),
    "other-port": lambda: quote("", 4051),
    "other-host": lambda: quote("", 4050, 3),
    "datagram": lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_DGRAM).close(),
    "io_uring": io_uring,
    "other-ioctl": other_ioctl,
    "nothing": lambda: Path("/dev/sev-guest2").stat(),
    "hide": hide,
    "ccel": lambda: start("/sys/firmware/acpi/tables/data/CCEL"),
    "rtmr": lambda: start("/sys/devices/virtual/misc/tdx_guest/measurements/rtmr3:sha384"),
    "listening": lambda: socket.create_connection(("127.0.0.1", int(os.environ["PORT"])), 5).close(),
    "snp-rate": lambda: rate("/dev/sev-guest", 0xC0205300, 32),
    "tdx-rate": lambda: rate("/dev/tdx_guest", 0xC4405401, 1088),
}

if __name__ == "__main__":
    sys.stdout.write(json.dumps({name: failing(ANSWERS[name]) for name in sys.argv[1:]}))
