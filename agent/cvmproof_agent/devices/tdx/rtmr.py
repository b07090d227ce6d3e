"""Extending a TD's run-time measurement registers through sysfs, Linux 6.16 and newer.

Follows Linux Documentation/ABI/testing/sysfs-devices-virtual-misc-tdx_guest. RTMR0 and RTMR1 are firmware's: extending
them would only spoil what they say, so nobody does that here. What was extended stays until the TD ends, and every
later quote shows it.
"""

import errno
import hashlib
import os
from collections.abc import Callable
from typing import Final, TypeVar

from cvmproof_agent.devices.refusal import Reason, Reasons, refused
from cvmproof_formats.errors import DeviceError, Misuse

_Result = TypeVar("_Result")

MEASUREMENTS: Final = "/sys/devices/virtual/misc/tdx_guest/measurements"
RTMRS: Final = (2, 3)  # Intel's library takes no others
DIGEST_SIZE: Final = 48  # bytes, SHA-384
REASONS: Final[Reasons] = {
    errno.ENOENT: Reason(
        "no such register", "is this a TD? then: modprobe tdx-guest (Linux 6.16 or newer has these files)"
    ),
    errno.EACCES: Reason("it is not ours to extend", "run as root"),
    errno.EPERM: Reason("it is not ours to extend", "run as root"),
    errno.EROFS: Reason(
        "it is mounted read-only", "a unit with ProtectKernelTunables or a container can't write there"
    ),
    errno.EINVAL: Reason("the TDX module takes no such digest"),
    errno.EIO: Reason("the TDX module failed"),
}


def extend(rtmr: int, digest: bytes, *, folder: str = MEASUREMENTS) -> bytes:
    """Extend RTMR2 or RTMR3 with a SHA-384 digest of 48 bytes; gives the register's new value, 48 bytes.

    Raises Misuse for another register or length; DeviceError where the kernel refuses, and where the new value is not
    SHA-384(old || digest), as when somebody else extended it at the same time.
    """
    if rtmr not in RTMRS:
        raise Misuse(f"RTMR: expected 2 or 3, which are not firmware's, got {rtmr}")
    if len(digest) != DIGEST_SIZE:
        raise Misuse(f"RTMR{rtmr}: expected a digest of {DIGEST_SIZE} bytes (SHA-384), got {len(digest)}")
    path = f"{folder}/rtmr{rtmr}:sha384"
    before = _read(path)
    _write(path, digest)
    after = _read(path)
    if after != hashlib.sha384(before + digest).digest():
        raise DeviceError(
            f"{path}: expected SHA-384 of the old value and the digest, got another value",
            path=path,
            call="read",
            hint="the digest may have been extended: read the register and the log of whoever else extends it",
        )
    return after


def _read(path: str) -> bytes:
    value = _call(path, os.O_RDONLY, "read", lambda descriptor: os.read(descriptor, DIGEST_SIZE + 1))
    if len(value) != DIGEST_SIZE:
        raise DeviceError(f"{path}: expected {DIGEST_SIZE} bytes, got {len(value)}", path=path, call="read")
    return value


def _write(path: str, digest: bytes) -> None:
    """Write all of it in one call: the kernel takes no part of a digest."""
    written = _call(path, os.O_WRONLY, "write", lambda descriptor: os.write(descriptor, digest))
    if written != DIGEST_SIZE:
        raise DeviceError(f"{path}: expected {DIGEST_SIZE} bytes to be written, got {written}", path=path, call="write")


def _call(path: str, flags: int, call: str, use: Callable[[int], _Result]) -> _Result:
    try:
        descriptor = os.open(path, flags | os.O_CLOEXEC)
    except OSError as error:
        raise refused(error, path=path, call="open", reasons=REASONS) from error
    try:
        return use(descriptor)
    except OSError as error:
        raise refused(error, path=path, call=call, reasons=REASONS) from error
    finally:
        os.close(descriptor)
