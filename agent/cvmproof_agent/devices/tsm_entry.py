"""Entries below /sys/kernel/config/tsm/report: one for each request, named for the process that made it.

Follows Linux Documentation/ABI/testing/configfs-tsm-report. Entries are global, stay when their maker dies, and answer
whoever writes to them last. So nobody shares one here: the name says whose it is, and what a killed process of ours
left behind is removed by the next.
"""

import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cvmproof_agent.devices.refusal import Reason, Reasons, refused
from cvmproof_formats.errors import DeviceError

_log = logging.getLogger(__name__)

ROOT: Final = "/sys/kernel/config/tsm/report"
_PREFIX: Final = "cvmproof"
_TEXT_LIMIT: Final = 4096  # bytes; what a text attribute of configfs holds
_START_TIME: Final = 22  # proc_pid_stat(5): ticks after boot at which the process started
_STATE: Final = 3  # the same: the first field behind the name, which may contain anything

_MODULES = "modprobe sev-guest or modprobe tdx-guest (Linux 6.7 or newer, CONFIG_TSM_REPORTS)"
_ROOT_ONLY = "run as root: the kernel lets nobody else make entries there"
REASONS: Final[Reasons] = {
    errno.ENOENT: Reason("no such folder", f"{_MODULES}; mount -t configfs none /sys/kernel/config"),
    errno.ENOTDIR: Reason("it is no folder"),
    errno.ENXIO: Reason("no provider of reports is registered, or it has no answer any more", _MODULES),
    errno.EACCES: Reason("it is not ours to use", _ROOT_ONLY),
    errno.EPERM: Reason("it is not ours to use", _ROOT_ONLY),
    errno.EROFS: Reason(
        "it is mounted read-only", "a unit with ProtectKernelTunables or a container can't write there: lift that"
    ),
    errno.ENOMEM: Reason("the kernel has no memory for it"),
    errno.EINVAL: Reason("the kernel or firmware takes no such request", "is it a level below privlevel_floor?"),
    errno.EFBIG: Reason("more than the kernel passes on"),
    errno.EFAULT: Reason("the kernel took nothing"),
    errno.EIO: Reason("firmware or host failed", "the kernel's log says more: dmesg"),
    errno.ETIMEDOUT: Reason("the host did not answer in the kernel's time", "ask later; if it stays so, ask the host"),
    errno.EBUSY: Reason("an earlier request is still under way"),
    errno.EAGAIN: Reason("somebody else wrote to the entry"),
    errno.ENOTTY: Reason(
        "the driver has given up its key (VMPCK)", "restart the guest: nothing else brings the key back", lost=True
    ),
    errno.EBADMSG: Reason(
        "firmware's answer was not authentic, and the driver gives up its key", "restart the guest", lost=True
    ),
}


class Entry:
    """A folder of attributes; each call raises DeviceError, or OSError where `attempt` says so."""

    def __init__(self, path: str) -> None:
        self.path = path

    def write(self, attribute: str, value: bytes) -> None:
        """Write an attribute in one call, and close it: that is when configfs hands a binary one to its driver."""
        path = f"{self.path}/{attribute}"
        descriptor = self._open(attribute, os.O_WRONLY)
        try:
            written = os.write(descriptor, value)
        except OSError as error:
            os.close(descriptor)
            raise refused(error, path=path, call="write", reasons=REASONS) from error
        try:
            os.close(descriptor)
        except OSError as error:
            raise refused(error, path=path, call="close", reasons=REASONS) from error
        if written != len(value):
            raise DeviceError(
                f"{path}: expected {len(value)} bytes to be written, got {written}", path=path, call="write"
            )

    def read(self, attribute: str, *, limit: int) -> bytes:
        """Read an attribute of at most `limit` bytes to its end."""
        path = f"{self.path}/{attribute}"
        descriptor = self._open(attribute, os.O_RDONLY)
        found = bytearray()
        try:
            while part := os.read(descriptor, limit + 1 - len(found)):
                found += part
                if len(found) > limit:
                    raise DeviceError(f"{path}: expected at most {limit} bytes, got more", path=path, call="read")
        except OSError as error:
            raise refused(error, path=path, call="read", reasons=REASONS) from error
        finally:
            os.close(descriptor)
        return bytes(found)

    def text(self, attribute: str) -> str:
        """Read a line."""
        return self.read(attribute, limit=_TEXT_LIMIT).decode("ascii", "replace").removesuffix("\n")

    def number(self, attribute: str) -> int:
        """Read a decimal number."""
        text = self.text(attribute)
        if not (text.isascii() and text.isdigit()):
            raise DeviceError(f"{self.path}/{attribute}: expected a number, got {text!r:.40}")
        return int(text)

    def has(self, attribute: str) -> bool:
        """Tell whether the kernel shows an attribute here."""
        return Path(self.path, attribute).exists()

    def _open(self, attribute: str, flags: int) -> int:
        path = f"{self.path}/{attribute}"
        try:
            return os.open(path, flags | os.O_CLOEXEC)
        except OSError as error:
            raise refused(error, path=path, call="open", reasons=REASONS) from error


@contextmanager
def new_entry(root: str = ROOT) -> Iterator[Entry]:
    """Make an entry that nobody else uses, and remove it whatever happens; raises DeviceError."""
    path = f"{root}/{_PREFIX}-{os.getpid()}-{_started(os.getpid())}-{os.urandom(8).hex()}"
    try:
        os.mkdir(path)  # noqa: PTH102 -- as everywhere here: calls that are the kernel's, by their names
    except OSError as error:
        raise refused(error, path=root, call="mkdir", reasons=REASONS) from error
    try:
        yield Entry(path)
    finally:
        _remove(path)


def remove_stale(root: str = ROOT) -> None:
    """Remove the entries of processes of ours that are dead; what belongs to anybody else stays."""
    try:
        names = os.listdir(root)  # noqa: PTH208 -- names alone are wanted
    except OSError:
        return  # whoever makes an entry next says why not
    for name in names:
        if _is_stale(name):
            _log.info("removed an entry that a killed process had left: %s/%s", root, name)
            _remove(f"{root}/{name}")


def _is_stale(name: str) -> bool:
    # A process of another PID namespace looks dead from here: it loses an entry at most, notices, and asks again.
    prefix, *numbers = name.split("-")
    if prefix != _PREFIX or len(numbers) != 3 or not all(n.isascii() and n.isdigit() for n in numbers[:2]):  # noqa: PLR2004 -- process, start, and a random part
        return False
    process, started = map(int, numbers[:2])
    found = _started(process)
    # A unit with ProtectProc= sees its own processes only: what it can't see is not dead for that.
    return found != started if found is not None else not _exists(process)


def _started(process: int) -> int | None:
    """Give when a process started, None where there is none: a number alone would be another's one day."""
    try:
        fields = Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()
        return int(fields[_START_TIME - _STATE])
    except (OSError, IndexError, ValueError):
        return None


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True  # somebody else's
    return True


def _remove(path: str) -> None:
    try:
        os.rmdir(path)  # noqa: PTH106 -- the kernel's call by its name, as in `mkdir`
    except FileNotFoundError:
        pass  # somebody else was faster
    except OSError as error:
        _log.warning("%s: rmdir: could not be removed, and stays: %s", path, error.strerror)
