"""Lets this process start no other one, so that its memory is never copied into a child.

A filter on system calls (seccomp(2)), since nothing in Python holds against what a library does: threads may be made,
processes not, and no other program takes this one's place. It can't be taken back. docs/deployment.md
"""

import ctypes
import logging
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from errno import ENOSYS, EPERM
from typing import Final

_log = logging.getLogger(__name__)
# Linux include/uapi/linux/prctl.h, seccomp.h
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_CLONE_THREAD: Final = 0x10000  # include/uapi/linux/sched.h
# include/uapi/linux/bpf_common.h: load a word; compare, and jump; test bits, and jump; return
_LOAD, _EQUAL, _GREATER_EQUAL, _BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # struct seccomp_data; little-endian, so the low word comes first
_X32: Final = 0x40000000  # calls of x86-64's other table have this bit


@dataclass(frozen=True, slots=True, kw_only=True)
class _Calls:
    """Numbers of system calls; `clone`'s first argument are its flags on each of these."""

    architecture: int
    """AUDIT_ARCH_..., include/uapi/linux/audit.h."""
    clone: int
    clone3: int
    refused: tuple[int, ...]
    """fork and vfork where there are such, execve, execveat."""


_CALLS: Final[Mapping[str, _Calls]] = {
    "x86_64": _Calls(architecture=0xC000003E, clone=56, clone3=435, refused=(57, 58, 59, 322)),
    "aarch64": _Calls(architecture=0xC00000B7, clone=220, clone3=435, refused=(221, 281)),
}


def forbid_new_processes() -> None:
    """Forbid it from here on, to this thread and those it starts; where the system refuses, say so and go on."""
    machine = os.uname().machine
    calls = _CALLS.get(machine)
    if calls is None:
        _log.warning("nothing keeps this process from starting others: unknown machine %s", machine)
        return
    program = _filter(calls)
    instructions = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: a count and a pointer, aligned as the machine has it
    description = struct.pack("@HP", len(program) // 8, ctypes.addressof(instructions))
    libc = ctypes.CDLL(None, use_errno=True)
    refused = libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, description)
    if refused:
        _log.warning("nothing keeps this process from starting others: %s", os.strerror(ctypes.get_errno()))


def _filter(calls: _Calls) -> bytes:
    """Assemble it: struct sock_filter, where a jump counts the instructions to leave out."""
    table = [
        *((number, _REFUSE | EPERM) for number in calls.refused),
        (calls.clone3, _REFUSE | ENOSYS),  # its flags lie in memory; without it the C library falls back to clone
    ]
    parts = [
        _instruction(_LOAD, _ARCHITECTURE),
        _instruction(_EQUAL, calls.architecture, 1, 0),
        _instruction(_RETURN, _KILL),
        _instruction(_LOAD, _NUMBER),
        _instruction(_GREATER_EQUAL, _X32, 0, 1),
        _instruction(_RETURN, _REFUSE | ENOSYS),
    ]
    for number, answer in table:
        parts += [_instruction(_EQUAL, number, 0, 1), _instruction(_RETURN, answer)]
    parts += [
        _instruction(_EQUAL, calls.clone, 1, 0),
        _instruction(_RETURN, _ALLOW),
        _instruction(_LOAD, _FIRST_ARGUMENT),
        _instruction(_BITS, _CLONE_THREAD, 1, 0),
        _instruction(_RETURN, _REFUSE | EPERM),
        _instruction(_RETURN, _ALLOW),
    ]
    return b"".join(parts)


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
