"""The memory of whoever makes a system call, while the kernel holds the caller in it."""

import errno
import os
from dataclasses import dataclass
from typing import Final, Protocol

from cvmproof_simulator.devices.system_calls import read_memory, write_memory

_ADDRESSES: Final = 1 << 56  # more than any processor of today lets a process have
LONGEST: Final = 1 << 20
"""Bytes that are moved at once; no interface here needs more."""


class Memory(Protocol):
    """What a device reads its requests from and writes its answers to; each raises OSError (EFAULT)."""

    def read(self, address: int, size: int) -> bytes:
        """Read bytes."""

    def write(self, address: int, data: bytes) -> None:
        """Write bytes."""


@dataclass(frozen=True, slots=True)
class CallerMemory:
    """The memory of a thread by its number."""

    thread: int

    def read(self, address: int, size: int) -> bytes:
        """Read bytes; raises OSError (EFAULT)."""
        _require_room(address, size)
        try:
            return read_memory(self.thread, address, size)
        except OSError as error:
            raise _fault() from error

    def write(self, address: int, data: bytes) -> None:
        """Write bytes; raises OSError (EFAULT)."""
        _require_room(address, len(data))
        try:
            write_memory(self.thread, address, data)
        except OSError as error:
            raise _fault() from error


def _require_room(address: int, size: int) -> None:
    if size > LONGEST or not 0 < address <= _ADDRESSES - size:
        raise _fault()


def _fault() -> OSError:
    return OSError(errno.EFAULT, os.strerror(errno.EFAULT))
