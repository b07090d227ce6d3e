"""What a supervised process gets to see: SIMULATED devices that it opens, a quoting service that it connects to.

Only absolute paths are recognised, and listings of /dev don't show the devices. No socket of AF_VSOCK is ever made in
a supervised process, so that nothing reaches the real host: it holds a unix socket in its place.
"""

import errno
import fcntl
import os
import socket
import stat
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from cvmproof_simulator.devices import nodes
from cvmproof_simulator.devices.loop import Queue
from cvmproof_simulator.devices.notifications import Call, Listener, SupervisedMemory
from cvmproof_simulator.devices.qgs_messages import PORT
from cvmproof_simulator.devices.supervised_calls import (
    ACCESS,
    AF_VSOCK,
    AT_EMPTY_PATH,
    CONNECT,
    FACCESSAT,
    FACCESSAT2,
    FSTAT,
    HOST_CID,
    IOCTL,
    LSTAT,
    NEWFSTATAT,
    OPEN,
    OPENAT,
    OPENAT2,
    SOCKET,
    STAT,
    STATX,
)
from cvmproof_simulator.devices.system_calls import take_descriptor

_PAGE: Final = 4096
_LONGEST_PATH: Final = 64  # bytes; the devices' own are shorter
_SOCKADDR_VM: Final = struct.Struct("<HHII4x")  # Linux include/uapi/linux/vm_sockets.h
_TYPE_MASK: Final = 0xF
_MISC_MAJOR: Final = 10
_FIRST_MINOR: Final = 120
_TIMEOUTS: Final = (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO)
_TIMEVAL_SIZE: Final = 16
# Linux include/uapi/linux/stat.h: STATX_BASIC_STATS.
_BASIC_STATS: Final = 0x7FF
_STATX_SIZE: Final = 256

Connecting = Callable[[socket.socket], None]
"""Takes the service's end of a connection; raises OSError where it refuses."""


class Supervisor:
    """Answers the notified calls of one filter."""

    def __init__(
        self, listener: Listener, devices: Mapping[str, nodes.File], connecting: Connecting | None, queue: Queue
    ) -> None:
        """Take the devices by path, and what serves a connection to the quoting service, None where there is none."""
        self._listener, self._devices, self._connecting, self._queue = listener, devices, connecting, queue
        self._files = {path: _placeholder(path) for path in devices}
        self._paths = {_identity(os.fstat(file)): path for path, file in self._files.items()}
        self._answering: dict[int, Callable[[Call], None]] = {
            OPEN: lambda call: self._open(call, 0, call.arguments[1]),
            OPENAT: lambda call: self._open(call, 1, call.arguments[2]),
            OPENAT2: self._open_how,
            STAT: lambda call: self._stat(call, 0, call.arguments[1]),
            LSTAT: lambda call: self._stat(call, 0, call.arguments[1]),
            FSTAT: self._fstat,
            NEWFSTATAT: self._newfstatat,
            STATX: self._statx,
            ACCESS: lambda call: self._access(call, 0),
            FACCESSAT: lambda call: self._access(call, 1),
            FACCESSAT2: lambda call: self._access(call, 1),
            IOCTL: self._ioctl,
            SOCKET: self._socket,
            CONNECT: self._connect,
        }

    def serve(self) -> bool:
        """Answer one call; False once nobody is left who could make one."""
        try:
            call = self._listener.receive()
        except OSError:
            return False
        if call is not None:
            self._answer(call)
        return True

    def close(self) -> None:
        """Let go of everything; calls that are made from now on fail with ENOSYS."""
        for file in self._files.values():
            os.close(file)
        os.close(self._listener.descriptor)

    def _answer(self, call: Call) -> None:
        try:
            self._answering.get(call.number, self._listener.go_on)(call)
        except OSError as error:
            number = error.errno or errno.EIO
            self._queue.answer(lambda: self._listener.fail(call, number))

    def _memory(self, call: Call) -> SupervisedMemory:
        return SupervisedMemory(self._listener, call)

    def _path(self, call: Call, place: int) -> str | None:
        """The device that a path names; None where it is none, or can't be read, which the kernel will say."""
        address = call.arguments[place]
        data = b""
        with suppress(OSError):
            while b"\0" not in data and len(data) < _LONGEST_PATH:
                # Up to the end of a page, behind which there may be nothing.
                start = address + len(data)
                data += self._memory(call).read(start, min(_LONGEST_PATH, _PAGE - start % _PAGE))
        named, end, _ = data.partition(b"\0")
        path = os.path.normpath(os.fsdecode(named)) if end and named.startswith(b"/") else ""
        return path if path in self._devices else None

    def _held(self, call: Call, number: int) -> str | None:
        """The device behind a descriptor of the caller's."""
        try:
            held = take_descriptor(call.thread, number & 0xFFFFFFFF)
        except OSError:
            return None
        try:
            self._listener.require_valid(call)
            return self._paths.get(_identity(os.fstat(held)))
        except OSError:
            return None
        finally:
            os.close(held)

    def _open(self, call: Call, place: int, flags: int) -> None:
        path = self._path(call, place)
        if path is None:
            self._listener.go_on(call)
        elif flags & os.O_DIRECTORY:
            raise nodes.refusal(errno.ENOTDIR)
        else:
            self._listener.give(call, self._files[path], close_on_exec=bool(flags & os.O_CLOEXEC))

    def _open_how(self, call: Call) -> None:
        (flags,) = struct.unpack("<Q", self._memory(call).read(call.arguments[2], 8))
        self._open(call, 1, flags)

    def _access(self, call: Call, place: int) -> None:
        if self._path(call, place) is None:
            self._listener.go_on(call)
        else:
            self._listener.succeed(call)

    def _stat(self, call: Call, place: int, address: int) -> None:
        self._tell(call, self._path(call, place), address)

    def _fstat(self, call: Call) -> None:
        self._tell(call, self._held(call, call.arguments[0]), call.arguments[1])

    def _newfstatat(self, call: Call) -> None:
        path = self._path(call, 1)
        if path is None and call.arguments[3] & AT_EMPTY_PATH:
            path = self._held(call, call.arguments[0])
        self._tell(call, path, call.arguments[2])

    def _tell(self, call: Call, path: str | None, address: int) -> None:
        if path is None:
            self._listener.go_on(call)
            return
        self._memory(call).write(address, self._build_stat(path))
        self._listener.succeed(call)

    def _minor(self, path: str) -> int:
        return _FIRST_MINOR + sorted(self._devices).index(path)

    def _build_stat(self, path: str) -> bytes:
        """Linux arch/x86/include/uapi/asm/stat.h: a character device of the caller's own."""
        owner, group = os.getuid(), os.getgid()
        device = os.makedev(_MISC_MAJOR, self._minor(path))
        mode = stat.S_IFCHR | stat.S_IMODE(self._devices[path].mode)
        head = struct.pack("<QQQIIIIQqqq", 6, self._minor(path), 1, mode, owner, group, 0, device, 0, _PAGE, 0)
        return head + bytes(72)

    def _statx(self, call: Call) -> None:
        path = self._path(call, 1)
        if path is None and call.arguments[2] & AT_EMPTY_PATH:
            path = self._held(call, call.arguments[0])
        if path is None:
            self._listener.go_on(call)
            return
        self._memory(call).write(call.arguments[4], self._build_statx(path))
        self._listener.succeed(call)

    def _build_statx(self, path: str) -> bytes:
        """Linux include/uapi/linux/stat.h, struct statx."""
        mode = stat.S_IFCHR | stat.S_IMODE(self._devices[path].mode)
        head = struct.pack(
            "<IIQIIIHxxQQQQ", _BASIC_STATS, _PAGE, 0, 1, os.getuid(), os.getgid(), mode, self._minor(path), 0, 0, 0
        )
        numbers = struct.pack("<IIII", _MISC_MAJOR, self._minor(path), 0, 6)
        return (head + bytes(64) + numbers).ljust(_STATX_SIZE, b"\0")

    def _ioctl(self, call: Call) -> None:
        path = self._held(call, call.arguments[0])
        if path is None:
            self._listener.go_on(call)
            return
        opened = self._devices[path].open(os.O_RDWR)
        result = opened.control(call.arguments[1] & 0xFFFFFFFF, call.arguments[2], self._memory(call))
        self._queue.answer(lambda: self._listener.succeed(call, result))

    def _socket(self, call: Call) -> None:
        flags = call.arguments[1]
        if flags & _TYPE_MASK != socket.SOCK_STREAM:
            raise nodes.refusal(errno.ESOCKTNOSUPPORT)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
            made.setblocking(not flags & socket.SOCK_NONBLOCK)
            self._listener.give(call, made.fileno(), close_on_exec=bool(flags & socket.SOCK_CLOEXEC))

    def _connect(self, call: Call) -> None:
        address = self._vsock_address(call)
        if address is None:
            self._listener.go_on(call)
        elif address != (HOST_CID, PORT) or self._connecting is None:
            raise nodes.refusal(errno.ECONNRESET)  # what AF_VSOCK says where nobody listens
        else:
            self._connect_to_the_service(call, self._connecting)

    def _vsock_address(self, call: Call) -> tuple[int, int] | None:
        size = call.arguments[2] & 0xFFFFFFFF
        try:
            data = self._memory(call).read(call.arguments[1], min(size, _SOCKADDR_VM.size))
        except OSError:
            return None
        if int.from_bytes(data[:2], "little") != AF_VSOCK:
            return None
        if len(data) < _SOCKADDR_VM.size:
            raise nodes.refusal(errno.EFAULT)
        _, _, port, cid = _SOCKADDR_VM.unpack(data)
        return cid, port

    def _connect_to_the_service(self, call: Call, connecting: Connecting) -> None:
        number = call.arguments[0] & 0xFFFFFFFF
        ours, theirs = socket.socketpair()
        with theirs:
            close_on_exec = self._take_over(call, number, theirs)
            connecting(ours)
            self._listener.replace(call, theirs.fileno(), number, close_on_exec=close_on_exec)
        self._listener.succeed(call)

    def _take_over(self, call: Call, number: int, theirs: socket.socket) -> bool:
        """Give a new socket what the caller had set on its own; says whether that one is closed on exec."""
        with socket.socket(fileno=take_descriptor(call.thread, number)) as before:
            os.set_blocking(theirs.fileno(), os.get_blocking(before.fileno()))
            for option in _TIMEOUTS:
                value = before.getsockopt(socket.SOL_SOCKET, option, _TIMEVAL_SIZE)
                theirs.setsockopt(socket.SOL_SOCKET, option, value)
        try:
            fields = Path(f"/proc/{call.thread}/fdinfo/{number}").read_text(encoding="utf-8").split()
        except OSError:
            return True  # of a process that lets nobody look into it; what holds secrets closes its files
        return bool(int(fields[fields.index("flags:") + 1], 8) & os.O_CLOEXEC)


def _placeholder(path: str) -> int:
    """A file that stands for a device in a process, and holds nothing."""
    made = os.memfd_create(f"SIMULATED{path.replace('/', '-')}", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    fcntl.fcntl(made, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
    return made


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino
