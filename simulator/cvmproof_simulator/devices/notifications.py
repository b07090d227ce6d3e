"""System calls of other processes, handed to a supervisor by the kernel (seccomp user notification).

Linux Documentation/userspace-api/seccomp_filter.rst and include/uapi/linux/seccomp.h; x86-64 only. No privilege is
needed. A filter stays for the life of a process and its children.
"""

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from cvmproof_simulator.devices.memory import CallerMemory
from cvmproof_simulator.devices.nodes import refusal
from cvmproof_simulator.devices.system_calls import control, no_new_privileges, seccomp

_SET_MODE_FILTER: Final = 1
_NEW_LISTENER: Final = 1 << 3
_WAIT_KILLABLE_RECV: Final = 1 << 5
_RECV: Final = 0xC0502100
_SEND: Final = 0xC0182101
_ID_VALID: Final = 0x40082102
_ADDFD: Final = 0x40182103
_ADDFD_SETFD: Final = 1
_ADDFD_SEND: Final = 2
_CONTINUE: Final = 1
_NOTIFICATION: Final = struct.Struct("<QIIiIQ6Q")
_RESPONSE: Final = struct.Struct("<QqiI")
_ADD: Final = struct.Struct("<QIIII")

# Linux include/uapi/linux/audit.h; arch/x86/entry/syscalls/syscall_64.tbl.
_AUDIT_ARCH_X86_64: Final = 0xC000003E
_X32_BIT: Final = 0x40000000
MACHINE: Final = "x86_64"
# Linux include/uapi/linux/bpf_common.h.
_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_AT_LEAST: Final = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_RETURN: Final = 0x06
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16
_ALLOW: Final = 0x7FFF0000
_NOTIFY: Final = 0x7FC00000
_FAIL: Final = 0x00050000 | errno.ENOSYS

IO_URING_SETUP: Final = 425


class _Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint))


class _Program(ctypes.Structure):
    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.POINTER(_Instruction)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Notified:
    """A system call to be told of: always, or where the low half of one argument is one of these values."""

    number: int
    argument: int = 0
    values: tuple[int, ...] = ()


def install(calls: Iterable[Notified]) -> int:
    """Be supervised in these calls from now on; gives the supervisor's descriptor.

    io_uring, which would go round them, and calls of other architectures fail with ENOSYS. Raises OSError.
    """
    if platform.machine() != MACHINE:
        raise OSError(errno.ENOTSUP, f"system calls are intercepted on {MACHINE} only, this is {platform.machine()}")
    program = _assemble(calls)
    try:
        return _install(program)
    except PermissionError:
        # Without CAP_SYS_ADMIN the kernel wants to know that no set-user-ID program will be fooled.
        no_new_privileges()
        return _install(program)


def _install(program: _Program) -> int:
    try:
        return seccomp(_SET_MODE_FILTER, _NEW_LISTENER | _WAIT_KILLABLE_RECV, program)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return seccomp(_SET_MODE_FILTER, _NEW_LISTENER, program)  # before Linux 5.19


def _assemble(calls: Iterable[Notified]) -> _Program:
    code: list[tuple[int, int, int, int]] = [
        (_LOAD, 0, 0, _ARCH_AT),
        (_EQUAL, 1, 0, _AUDIT_ARCH_X86_64),
        (_RETURN, 0, 0, _FAIL),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_AT_LEAST, 0, 1, _X32_BIT),
        (_RETURN, 0, 0, _FAIL),
        (_EQUAL, 0, 1, IO_URING_SETUP),
        (_RETURN, 0, 0, _FAIL),
    ]
    for call in calls:
        code += _one(call)
    code.append((_RETURN, 0, 0, _ALLOW))
    instructions = (_Instruction * len(code))(*(_Instruction(*each) for each in code))
    return _Program(len(code), instructions)


def _one(call: Notified) -> list[tuple[int, int, int, int]]:
    if not call.values:
        return [(_EQUAL, 0, 1, call.number), (_RETURN, 0, 0, _NOTIFY)]
    tests = [(_EQUAL, len(call.values) - place, 0, value) for place, value in enumerate(call.values)]
    body = [(_LOAD, 0, 0, _ARGUMENTS_AT + 8 * call.argument), *tests]
    body += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _NOTIFY)]
    return [(_EQUAL, 0, len(body), call.number), *body]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A system call that waits for an answer."""

    id: int
    thread: int
    number: int
    arguments: tuple[int, ...]


class Listener:
    """The supervisor's end of a filter."""

    def __init__(self, descriptor: int) -> None:
        """Take the descriptor that `install` gave."""
        self.descriptor = descriptor

    def receive(self) -> Call | None:
        """Take the next call; None where whoever made it has gone. Raises OSError once nobody is left."""
        buffer = ctypes.create_string_buffer(_NOTIFICATION.size)  # zero, or the kernel refuses it
        try:
            control(self.descriptor, _RECV, buffer)
        except (FileNotFoundError, InterruptedError):
            return None
        identity, thread, _, number, _, _, *arguments = _NOTIFICATION.unpack(buffer.raw)
        return Call(id=identity, thread=thread, number=number, arguments=tuple(arguments))

    def require_valid(self, call: Call) -> None:
        """Raise OSError (ENOENT) where the caller has gone, and its number may be somebody else's by now."""
        control(self.descriptor, _ID_VALID, ctypes.create_string_buffer(struct.pack("<Q", call.id), 8))

    def go_on(self, call: Call) -> None:
        """Let the kernel do it."""
        self._respond(call, 0, 0, _CONTINUE)

    def succeed(self, call: Call, value: int = 0) -> None:
        """Answer it."""
        self._respond(call, value, 0, 0)

    def fail(self, call: Call, number: int) -> None:
        """Answer it with an error."""
        self._respond(call, 0, -number, 0)

    def give(self, call: Call, descriptor: int, *, close_on_exec: bool) -> None:
        """Answer it with a new descriptor of the caller's for an open file of ours."""
        flags = os.O_CLOEXEC if close_on_exec else 0
        self._add(_ADD.pack(call.id, _ADDFD_SEND, descriptor, 0, flags))

    def replace(self, call: Call, descriptor: int, number: int, *, close_on_exec: bool) -> None:
        """Put an open file of ours in the place of one of the caller's descriptors; raises OSError."""
        flags = os.O_CLOEXEC if close_on_exec else 0
        packed = _ADD.pack(call.id, _ADDFD_SETFD, descriptor, number, flags)
        control(self.descriptor, _ADDFD, ctypes.create_string_buffer(packed, _ADD.size))

    def _add(self, packed: bytes) -> None:
        with suppress(FileNotFoundError):  # the caller has gone
            control(self.descriptor, _ADDFD, ctypes.create_string_buffer(packed, _ADD.size))

    def _respond(self, call: Call, value: int, error: int, flags: int) -> None:
        packed = _RESPONSE.pack(call.id, value, error, flags)
        with suppress(FileNotFoundError):  # the caller has gone
            control(self.descriptor, _SEND, ctypes.create_string_buffer(packed, _RESPONSE.size))


@dataclass(frozen=True, slots=True)
class SupervisedMemory:
    """The memory of a caller, which is looked for again after each read and before each write."""

    listener: Listener
    call: Call

    def read(self, address: int, size: int) -> bytes:
        """Read bytes; raises OSError (EFAULT)."""
        data = CallerMemory(self.call.thread).read(address, size)
        self._require_caller()
        return data

    def write(self, address: int, data: bytes) -> None:
        """Write bytes; raises OSError (EFAULT)."""
        self._require_caller()
        CallerMemory(self.call.thread).write(address, data)

    def _require_caller(self) -> None:
        try:
            self.listener.require_valid(self.call)
        except FileNotFoundError as error:
            raise refusal(errno.EFAULT) from error
