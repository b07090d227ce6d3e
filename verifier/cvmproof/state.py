"""Files of a state directory: what the verifier must not forget, and nobody else may change.

A file is replaced whole and is on the disk before the call returns; changes are made under a lock, one at a time among
threads and processes. A folder that others may write to is refused: who can delete a file there makes the verifier
forget. What can't be read is not taken for absent.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cvmproof.collateral.disk import make_private_folder, read_bounded
from cvmproof.errors import CollateralError

LOCK_TIMEOUT = 10.0  # seconds; what is done under a lock takes milliseconds
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_NEW = ".new"  # behind a file's name, under its lock: what a crash leaves behind, the next one writes over


def read_state(path: Path, limit: int) -> bytes | None:
    """Read at most `limit` + 1 bytes of a file; None if there is none; no bytes if it can't be read.

    Raises CollateralError where others may write to its folder.
    """
    with _using(path.parent):
        _expect_ours_alone(path.parent)
        content = read_bounded(path, limit)
    return None if content is None else content.data


def replace_state(path: Path, data: bytes) -> None:
    """Put the bytes in place of a file's; call it under the file's lock.

    After a crash at any moment either the old bytes are there or the new ones. Raises CollateralError.
    """
    new = path.with_name(path.name + _NEW)
    with _using(path.parent):
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(new, flags | getattr(os, "O_NOFOLLOW", 0), 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123 -- a descriptor: what was opened without following a link
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        _sync_folder(path.parent)


def remove_state(path: Path) -> None:
    """Remove a file, if it is there; call it under the file's lock. Raises CollateralError."""
    with _using(path.parent):
        path.unlink(missing_ok=True)
        _sync_folder(path.parent)


@contextmanager
def locked_state(path: Path, timeout: float = LOCK_TIMEOUT) -> Iterator[None]:
    """Make the folder of a lock file, 0700, and hold the lock for as long as the block runs.

    Raises CollateralError when the lock is not had within `timeout` seconds, or the folder cannot be used.
    """
    import filelock  # noqa: PLC0415 -- only where something is about to be written

    lock = filelock.FileLock(path, timeout=timeout, mode=0o600, is_singleton=False)
    with _using(path.parent):
        make_private_folder(path.parent)
        _expect_ours_alone(path.parent)
        try:
            lock.acquire()
        except filelock.Timeout as error:
            message = f"state folder {path.parent}: another process has held {path.name} for {timeout:.0f} s"
            raise CollateralError(message, hint="try again when it has ended") from error
    try:
        yield
    finally:
        lock.release()


def _expect_ours_alone(folder: Path) -> None:
    """Refuse a folder of somebody else, or that others may write to; one that is not there yet is ours to make."""
    if not hasattr(os, "geteuid"):  # Windows has other means
        return
    try:
        status = folder.stat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(status.st_mode):
        raise CollateralError(f"state folder {folder}: expected a folder, got something else")
    if status.st_uid not in {0, os.geteuid()} or status.st_mode & _OTHERS_MAY_WRITE:
        message = f"state folder {folder}: expected one that only you can write to"
        got = f"got owner {status.st_uid}, mode {stat.S_IMODE(status.st_mode):04o}"
        raise CollateralError(f"{message}, {got}", hint=f"look at what is in it, then: chmod go-w {folder}")


def _sync_folder(folder: Path) -> None:
    """Have a new name on the disk as well; without it a crash could bring an older file back."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows can't open folders
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # some file systems know no fsync of folders, and then promise none
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _using(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"state folder {folder}: can't be used: {error.strerror or error}"
        raise CollateralError(
            message, hint="the verifier has to remember what it accepted: make it writable"
        ) from error
