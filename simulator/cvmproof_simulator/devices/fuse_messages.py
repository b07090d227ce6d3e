"""Messages between the kernel and a FUSE server; Linux include/uapi/linux/fuse.h, version 7.31."""

import struct
from enum import IntEnum
from typing import Final

from cvmproof_formats.layout import Layout, structure, uint

ROOT_ID: Final = 1
MAJOR: Final = 7
MINOR: Final = 31
MAX_WRITE: Final = 128 * 1024
"""Bytes of one write; the most without negotiating more pages."""
BUFFER_SIZE: Final = MAX_WRITE + 4096
BIG_WRITES: Final = 1 << 5
ATOMIC_O_TRUNC: Final = 1 << 3
DIRECT_IO: Final = 1 << 0
"""FOPEN_DIRECT_IO: sizes and contents are not kept by the kernel."""


class Opcode(IntEnum):
    """What the kernel asks for."""

    LOOKUP = 1
    FORGET = 2
    GETATTR = 3
    SETATTR = 4
    MKNOD = 8
    MKDIR = 9
    UNLINK = 10
    RMDIR = 11
    RENAME = 12
    OPEN = 14
    READ = 15
    WRITE = 16
    STATFS = 17
    RELEASE = 18
    FLUSH = 25
    INIT = 26
    OPENDIR = 27
    READDIR = 28
    RELEASEDIR = 29
    CREATE = 35
    INTERRUPT = 36
    DESTROY = 38
    IOCTL = 39
    BATCH_FORGET = 42
    RENAME2 = 45


@structure(name="fuse_in_header", size=40)
class InHeader(Layout):
    """What stands before every request."""

    len: int = uint(0, 4)
    opcode: int = uint(4, 4)
    unique: int = uint(8, 8)
    nodeid: int = uint(16, 8)
    uid: int = uint(24, 4)
    gid: int = uint(28, 4)
    pid: int = uint(32, 4)
    """Thread, as the mount's PID namespace numbers it; 0 from another one."""
    extension: int = uint(36, 4)


@structure(name="fuse_open_in", size=8)
class OpenIn(Layout):
    """OPEN."""

    flags: int = uint(0, 4)
    open_flags: int = uint(4, 4)


@structure(name="fuse_read_in", size=40)
class ReadIn(Layout):
    """READ, READDIR, and WRITE before its data."""

    fh: int = uint(0, 8)
    offset: int = uint(8, 8)
    size: int = uint(16, 4)
    kind: int = uint(20, 4)
    lock_owner: int = uint(24, 8)
    flags: int = uint(32, 4)
    padding: int = uint(36, 4)


@structure(name="fuse_ioctl_in", size=32)
class IoctlIn(Layout):
    """IOCTL before the data that the number of the command tells."""

    fh: int = uint(0, 8)
    flags: int = uint(8, 4)
    cmd: int = uint(12, 4)
    arg: int = uint(16, 8)
    in_size: int = uint(24, 4)
    out_size: int = uint(28, 4)


OUT_HEADER: Final = struct.Struct("<IiQ")
"""Length, error as a negative number, request."""
FILE_HANDLE: Final = struct.Struct("<Q")
"""What RELEASE, RELEASEDIR and FLUSH start with; INTERRUPT has the request's number there."""
OPEN_OUT: Final = struct.Struct("<QII")
WRITE_OUT: Final = struct.Struct("<II")
IOCTL_OUT: Final = struct.Struct("<iIII")
INIT_OUT: Final = struct.Struct("<IIIIHHII32x")
ATTR: Final = struct.Struct("<6Q10I")
ENTRY: Final = struct.Struct("<4QII")
ATTR_OUT: Final = struct.Struct("<QII")
DIRENT: Final = struct.Struct("<QQII")
STATFS: Final = struct.Struct("<5Q4I24x")
