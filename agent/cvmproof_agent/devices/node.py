"""A device node: opened once, asked through ioctl(2)."""

import ctypes
import os
from collections.abc import Callable
from typing import Final, TypeVar

from cvmproof_agent.devices.refusal import Reasons, refused

_READ: Final = 2  # Linux include/uapi/asm-generic/ioctl.h: what the kernel writes
_WRITE: Final = 1
# The fcntl module's own keeps every other thread waiting where the argument is longer than 1024 bytes.
_IOCTL: Final = ctypes.CDLL(None, use_errno=True).ioctl
_IOCTL.argtypes, _IOCTL.restype = (ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p), ctypes.c_int
_Structure = TypeVar("_Structure", bound=type[ctypes.Structure])


def sized(size: int) -> Callable[[_Structure], _Structure]:
    """Hold a structure to the size that its header gives it, in bytes; raises TypeError at import."""

    def check(declared: _Structure) -> _Structure:
        if ctypes.sizeof(declared) != size:
            raise TypeError(f"{declared.__name__}: expected {size} bytes, declared {ctypes.sizeof(declared)}")
        return declared

    return check


def iowr(kind: str, number: int, size: int) -> int:
    """Give the number of an ioctl that reads and writes `size` bytes, as _IOWR of asm-generic/ioctl.h does."""
    return _ioc(_READ | _WRITE, kind, number, size)


def ior(kind: str, number: int, size: int) -> int:
    """Give the number of an ioctl as _IOR does."""
    return _ioc(_READ, kind, number, size)


def _ioc(direction: int, kind: str, number: int, size: int) -> int:
    return direction << 30 | size << 16 | ord(kind) << 8 | number


class Node:
    """An open device node; `path` is how it is called in errors."""

    def __init__(self, path: str, reasons: Reasons) -> None:
        """Open it for reading and writing; raises DeviceError."""
        self.path, self._reasons = path, reasons
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise refused(error, path=path, call="open", reasons=reasons) from error

    def ask(self, request: int, argument: ctypes.Structure) -> None:
        """Call ioctl(2) with a structure, which the kernel may change even where it refuses; raises OSError."""
        if _IOCTL(self._descriptor, request, ctypes.addressof(argument)) < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), self.path)

    def close(self) -> None:
        """Close it; a second time does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
