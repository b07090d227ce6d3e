"""The system calls that the standard library lacks, through ctypes; each raises OSError with the kernel's number."""

import ctypes
import os
from pathlib import Path
from typing import Final

_libc = ctypes.CDLL(None, use_errno=True)

# Linux include/uapi/linux/mount.h, sched.h, prctl.h.
MS_NOSUID: Final = 0x2
MS_NODEV: Final = 0x4
MS_NOEXEC: Final = 0x8
MS_BIND: Final = 0x1000
MS_MOVE: Final = 0x2000
MS_REC: Final = 0x4000
MS_PRIVATE: Final = 0x40000
MNT_DETACH: Final = 0x2
CLONE_NEWNS: Final = 0x00020000
CLONE_NEWUSER: Final = 0x10000000
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38
# Linux arch/x86/entry/syscalls/syscall_64.tbl; the second has this number everywhere.
_SECCOMP: Final = 317
_PIDFD_GETFD: Final = 438


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("len", ctypes.c_size_t))


def mount(source: str, target: str, kind: str | None = None, flags: int = 0, data: str | None = None) -> None:
    """Mount something, as the system call does."""
    words = [None if word is None else os.fsencode(word) for word in (source, target, kind, data)]
    _check(_libc.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3]), target)


def unmount(target: str) -> None:
    """umount2(2), at once for names and later for open files."""
    _check(_libc.umount2(os.fsencode(target), MNT_DETACH), target)


def unshare(flags: int) -> None:
    """Leave namespaces for new ones."""
    _check(_libc.unshare(flags))


def become_user(user: int) -> None:
    """Go on as an ordinary user and the group of the same number, with nothing of root's left."""
    os.setgroups(())
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    # What changes its user is hidden from that user, in /proc too, until it says that there is nothing to hide.
    _check(_libc.prctl(_PR_SET_DUMPABLE, ctypes.c_ulong(1), 0, 0, 0))


def no_new_privileges() -> None:
    """prctl(2), PR_SET_NO_NEW_PRIVS."""
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), 0, 0, 0))


def seccomp(operation: int, flags: int, argument: ctypes.Structure) -> int:
    """Change which system calls may be made."""
    return _check(_libc.syscall(_SECCOMP, operation, ctypes.c_ulong(flags), ctypes.byref(argument)))


def control(descriptor: int, request: int, argument: ctypes.Array[ctypes.c_char]) -> int:
    """ioctl(2) with a buffer that the kernel fills in place."""
    return _check(_libc.ioctl(descriptor, ctypes.c_ulong(request), argument))


def read_memory(pid: int, address: int, size: int) -> bytes:
    """process_vm_readv(2): the bytes of another process or thread; EFAULT where fewer can be read."""
    buffer = ctypes.create_string_buffer(size)
    _move("process_vm_readv", pid, buffer, address, size)
    return buffer.raw


def write_memory(pid: int, address: int, data: bytes) -> None:
    """process_vm_writev(2); EFAULT where fewer bytes can be written."""
    _move("process_vm_writev", pid, ctypes.create_string_buffer(data, len(data)), address, len(data))


def take_descriptor(thread: int, number: int) -> int:
    """pidfd_getfd(2): a descriptor of another thread's process, in this one."""
    try:
        process = os.pidfd_open(thread)
    except OSError:  # no process has its number
        process = os.pidfd_open(_process_of(thread))
    try:
        return _check(_libc.syscall(_PIDFD_GETFD, process, number, 0))
    finally:
        os.close(process)


def _process_of(thread: int) -> int:
    """Linux Documentation/filesystems/proc.rst, /proc/PID/status."""
    words = Path(f"/proc/{thread}/status").read_text(encoding="utf-8", errors="replace").split()
    return int(words[words.index("Tgid:") + 1])


def _move(name: str, pid: int, buffer: ctypes.Array[ctypes.c_char], address: int, size: int) -> None:
    if not size:
        return
    here = _Iovec(ctypes.addressof(buffer), size)
    there = _Iovec(address, size)
    one, none = ctypes.c_ulong(1), ctypes.c_ulong(0)
    moved = _check(getattr(_libc, name)(pid, ctypes.byref(here), one, ctypes.byref(there), one, none))
    if moved != size:
        # What was moved before the end of a mapping counts for nothing, as with the kernel's copy_from_user.
        raise OSError(14, os.strerror(14))


def _check(answer: int, what: str | None = None) -> int:
    if answer == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return answer
