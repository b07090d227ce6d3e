"""Files of the store: read with a bound, replaced whole, locked by name, private to their owner.

What lies in the folder may have been put there by anybody: a device, a fifo or a file without end is not read.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cvmproof_formats.errors import CollateralError

# A fifo must not make the open wait; Windows has no such flag and must be told not to translate line ends.
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileContent:
    """A file's bytes, at most one more than was asked for, and when it was written."""

    data: bytes
    modified: datetime


def read_bounded(path: Path, limit: int) -> FileContent | None:
    """Read at most `limit` + 1 bytes, so that a longer file is still seen to be too long; None if there is none.

    A file that is there and cannot be read gives no bytes, not None: something present but bad is not absent.
    """
    try:
        return _read_regular(path, limit)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, OverflowError):
        return FileContent(data=b"", modified=datetime.fromtimestamp(0, UTC))


def _read_regular(path: Path, limit: int) -> FileContent:
    descriptor = os.open(path, _OPEN_FLAGS)
    with open(descriptor, "rb") as file:  # noqa: PTH123 -- a descriptor, not a path: what was opened is what is judged
        status = os.fstat(file.fileno())
        data = file.read(limit + 1) if stat.S_ISREG(status.st_mode) else b""
    return FileContent(data=data, modified=datetime.fromtimestamp(status.st_mtime, UTC))


def replace_file(path: Path, data: bytes, now: datetime) -> None:
    """Put the bytes in place at once, readable by the owner only, dated `now`.

    Raises CollateralError where the folder cannot be written.
    """
    import tempfile  # noqa: PLC0415 -- every verification loads this module, few write

    with _writing(path):
        make_private_folder(path.parent)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".tmp-")
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123 -- the descriptor mkstemp made, mode 0600
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.utime(name, (now.timestamp(), now.timestamp()))
            Path(name).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise


def make_private_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, each 0700; folders that are there stay as they are."""
    if folder.is_dir():
        return
    make_private_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def locked(path: Path, timeout: float) -> Iterator[None]:
    """Hold the lock file for as long as the block runs: one holder among all threads and processes.

    Raises CollateralError when the lock is not had within `timeout` seconds, or the folder cannot be written.
    """
    import filelock  # noqa: PLC0415 -- offline verification needs no locks and should not pay for them

    lock = filelock.FileLock(path, timeout=max(timeout, 0), mode=0o600, is_singleton=False)
    with _writing(path):
        make_private_folder(path.parent)
        try:
            lock.acquire()
        except filelock.Timeout as error:
            message = f"another process has been fetching this for {timeout:.0f} s: {path.name}"
            raise CollateralError(message, hint="try again, or remove the lock file if no such process runs") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"collateral store: cannot write {path.parent}: {error.strerror or error}"
        raise CollateralError(message, hint="name another folder with --collateral") from error
