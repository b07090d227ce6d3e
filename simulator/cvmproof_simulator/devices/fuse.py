"""A FUSE server: speaks the kernel's protocol over /dev/fuse, about a tree of nodes. No library in between.

Linux Documentation/filesystems/fuse.rst and include/uapi/linux/fuse.h. Nothing is cached by the kernel. An ioctl's
argument is not what FUSE copies, but the caller's memory, so that pointers in it can be followed.
"""

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from cvmproof_simulator.devices import fuse_messages as fuse
from cvmproof_simulator.devices.fuse_messages import InHeader, IoctlIn, Opcode, OpenIn, ReadIn
from cvmproof_simulator.devices.loop import Queue
from cvmproof_simulator.devices.memory import CallerMemory
from cvmproof_simulator.devices.nodes import File, Folder, Node, Opened, refusal
from cvmproof_simulator.devices.signals import is_being_killed

DEVICE: Final = "/dev/fuse"
_HEADER: Final = InHeader.layout_size
_SILENT: Final = frozenset({Opcode.FORGET, Opcode.BATCH_FORGET, Opcode.INTERRUPT})
_LOOK_AGAIN: Final = 0.02  # seconds between looks at a caller that was interrupted
_NAME_LIMIT: Final = 255
Serving = Callable[[InHeader, bytes], bytes]


def mount_options(descriptor: int) -> str:
    """Data for mount(2): the server's descriptor, root's folder, the kernel to check permissions, open to everybody."""
    return f"fd={descriptor},rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other"


class FuseServer:
    """Serves one mount over its descriptor, which must not block."""

    def __init__(self, descriptor: int, root: Folder, queue: Queue) -> None:
        """Take the descriptor that the file system was mounted with; `ended` is set once it is unmounted."""
        self.ended = False
        self._descriptor, self._queue = descriptor, queue
        self._nodes: dict[int, Node] = {fuse.ROOT_ID: root}
        self._numbers: dict[Node, int] = {root: fuse.ROOT_ID}
        self._lookups: dict[int, int] = {}
        self._next_node = fuse.ROOT_ID + 1
        self._opened: dict[int, Opened] = {}
        self._next_handle = 1
        self._waiting: dict[int, tuple[int, int]] = {}
        self._serving: dict[int, Serving] = {
            Opcode.INIT: self._init,
            Opcode.LOOKUP: self._lookup,
            Opcode.FORGET: self._forget,
            Opcode.BATCH_FORGET: self._forget_many,
            Opcode.GETATTR: self._getattr,
            Opcode.SETATTR: self._getattr,  # truncating and touching change nothing
            Opcode.MKDIR: self._mkdir,
            Opcode.RMDIR: self._rmdir,
            Opcode.CREATE: self._refuse(errno.EACCES),
            Opcode.MKNOD: self._refuse(errno.EACCES),
            Opcode.UNLINK: self._refuse(errno.EPERM),
            Opcode.RENAME: self._refuse(errno.EPERM),
            Opcode.RENAME2: self._refuse(errno.EPERM),
            Opcode.OPEN: self._open,
            Opcode.READ: self._read,
            Opcode.WRITE: self._write,
            Opcode.FLUSH: self._flush,
            Opcode.RELEASE: self._release,
            Opcode.OPENDIR: self._opendir,
            Opcode.READDIR: self._readdir,
            Opcode.RELEASEDIR: lambda *_: b"",
            Opcode.STATFS: lambda *_: fuse.STATFS.pack(0, 0, 0, 0, 0, 4096, _NAME_LIMIT, 4096, 0),
            Opcode.IOCTL: self._ioctl,
            Opcode.INTERRUPT: self._interrupt,
            Opcode.DESTROY: lambda *_: b"",
        }

    def serve(self) -> None:
        """Serve one request, where there is one."""
        try:
            message = os.read(self._descriptor, fuse.BUFFER_SIZE)
        except OSError as error:
            # ENODEV: unmounted. Others: the request was taken back before it was read.
            self.ended = error.errno == errno.ENODEV
            return
        header = InHeader.parse(message[:_HEADER])
        try:
            payload = self._answer(header, message[_HEADER : header.len])
        except OSError as error:
            self._send_later(header, -(error.errno or errno.EIO), b"")
            return
        if header.opcode not in _SILENT:
            self._send_later(header, 0, payload)

    def _answer(self, header: InHeader, body: bytes) -> bytes:
        serving = self._serving.get(header.opcode)
        if serving is None:
            raise refusal(errno.ENOSYS)
        return serving(header, body)

    def _send_later(self, header: InHeader, error: int, payload: bytes) -> None:
        number = self._queue.answer(lambda: self._send(header.unique, error, payload))
        if number is not None:
            self._waiting[header.unique] = number, header.pid

    def _send(self, unique: int, error: int, payload: bytes) -> None:
        self._waiting.pop(unique, None)
        header = fuse.OUT_HEADER.pack(fuse.OUT_HEADER.size + len(payload), error, unique)
        # Whoever asked may be gone.
        with suppress(OSError):
            os.write(self._descriptor, header + payload)

    def _interrupt(self, header: InHeader, body: bytes) -> bytes:
        """A caller got a signal; the drivers wait on unless it is a deadly one."""
        del header
        (unique,) = fuse.FILE_HANDLE.unpack(body[:8])
        self._give_up(unique)
        return b""

    def _give_up(self, unique: int) -> None:
        number, thread = self._waiting.get(unique, (None, 0))
        if number is None:
            return
        if is_being_killed(thread):
            self._queue.loop.cancel(number)
            self._send(unique, -errno.EINTR, b"")
        else:
            self._queue.loop.later(_LOOK_AGAIN, lambda: self._give_up(unique))

    @staticmethod
    def _refuse(number: int) -> Serving:
        def refuse(*_: object) -> bytes:
            raise refusal(number)

        return refuse

    @staticmethod
    def _init(header: InHeader, body: bytes) -> bytes:
        del header, body
        flags = fuse.BIG_WRITES | fuse.ATOMIC_O_TRUNC
        return fuse.INIT_OUT.pack(fuse.MAJOR, fuse.MINOR, 0, flags, 12, 9, fuse.MAX_WRITE, 1)

    def _node(self, header: InHeader) -> Node:
        node = self._nodes.get(header.nodeid)
        if node is None:
            raise refusal(errno.ENOENT)
        return node

    def _folder(self, header: InHeader) -> Folder:
        node = self._node(header)
        if not isinstance(node, Folder):
            raise refusal(errno.ENOTDIR)
        return node

    def _lookup(self, header: InHeader, body: bytes) -> bytes:
        node = self._folder(header).members.get(_name(body))
        if node is None:
            raise refusal(errno.ENOENT)
        return self._entry(node)

    def _entry(self, node: Node) -> bytes:
        number = self._numbers.get(node)
        if number is None:
            number = self._numbers[node] = self._next_node
            self._nodes[number] = node
            self._next_node += 1
        self._lookups[number] = self._lookups.get(number, 0) + 1
        return fuse.ENTRY.pack(number, 0, 0, 0, 0, 0) + _attributes(number, node)

    def _forget(self, header: InHeader, body: bytes) -> bytes:
        self._forget_node(header.nodeid, int.from_bytes(body[:8], "little"))
        return b""

    def _forget_many(self, header: InHeader, body: bytes) -> bytes:
        del header
        for start in range(8, 8 + 16 * int.from_bytes(body[:4], "little"), 16):
            one = body[start : start + 16]
            self._forget_node(int.from_bytes(one[:8], "little"), int.from_bytes(one[8:], "little"))
        return b""

    def _forget_node(self, number: int, times: int) -> None:
        left = self._lookups.get(number, 0) - times
        if left > 0 or number == fuse.ROOT_ID:
            self._lookups[number] = left
        elif number in self._nodes:
            self._lookups.pop(number, None)
            del self._numbers[self._nodes.pop(number)]

    def _getattr(self, header: InHeader, body: bytes) -> bytes:
        del body
        return fuse.ATTR_OUT.pack(0, 0, 0) + _attributes(header.nodeid, self._node(header))

    def _mkdir(self, header: InHeader, body: bytes) -> bytes:
        return self._entry(self._folder(header).make_folder(_name(body[8:])))

    def _rmdir(self, header: InHeader, body: bytes) -> bytes:
        self._folder(header).remove_folder(_name(body))
        return b""

    def _open(self, header: InHeader, body: bytes) -> bytes:
        node = self._node(header)
        if not isinstance(node, File):
            raise refusal(errno.EISDIR)
        handle = self._next_handle
        self._opened[handle] = node.open(OpenIn.parse(body).flags)
        self._next_handle += 1
        return fuse.OPEN_OUT.pack(handle, fuse.DIRECT_IO, 0)

    def _opendir(self, header: InHeader, body: bytes) -> bytes:
        del body
        self._folder(header)
        return fuse.OPEN_OUT.pack(0, 0, 0)

    def _read(self, header: InHeader, body: bytes) -> bytes:
        del header
        asked = ReadIn.parse(body)
        return self._opened[asked.fh].read(asked.size, asked.offset)

    def _write(self, header: InHeader, body: bytes) -> bytes:
        del header
        size = ReadIn.layout_size
        asked = ReadIn.parse(body[:size])
        return fuse.WRITE_OUT.pack(self._opened[asked.fh].write(body[size : size + asked.size], asked.offset), 0)

    def _flush(self, header: InHeader, body: bytes) -> bytes:
        del header
        self._opened[fuse.FILE_HANDLE.unpack(body[:8])[0]].flush()
        return b""

    def _release(self, header: InHeader, body: bytes) -> bytes:
        del header
        del self._opened[fuse.FILE_HANDLE.unpack(body[:8])[0]]
        return b""

    def _readdir(self, header: InHeader, body: bytes) -> bytes:
        asked, folder = ReadIn.parse(body), self._folder(header)
        entries: list[tuple[str, int]] = [(".", stat.S_IFDIR), ("..", stat.S_IFDIR)]
        entries += [(name, node.mode) for name, node in folder.members.items()]
        listing = b""
        for place, (name, mode) in enumerate(entries[asked.offset :], asked.offset + 1):
            encoded = os.fsencode(name)
            entry = fuse.DIRENT.pack(place, place, len(encoded), stat.S_IFMT(mode) >> 12) + encoded
            entry += bytes(-len(entry) % 8)
            if len(listing) + len(entry) > asked.size:
                break
            listing += entry
        return listing

    def _ioctl(self, header: InHeader, body: bytes) -> bytes:
        asked = IoctlIn.parse(body[: IoctlIn.layout_size])
        result = self._opened[asked.fh].control(asked.cmd, asked.arg, CallerMemory(header.pid))
        return fuse.IOCTL_OUT.pack(result, 0, 0, 0)


def _name(body: bytes) -> str:
    return os.fsdecode(body.partition(b"\0")[0])


def _attributes(number: int, node: Node) -> bytes:
    links = 2 if isinstance(node, Folder) else 1
    return fuse.ATTR.pack(number, node.size, 0, 0, 0, 0, 0, 0, 0, node.mode, links, 0, 0, 0, 4096, 0)
