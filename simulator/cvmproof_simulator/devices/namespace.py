"""A view of the file system for one process and its children, in which SIMULATED files stand at the real paths.

Linux mount_namespaces(7). Nothing outside changes: what lacks a place for a mount is covered by a memory file system
that holds what was there before, piece by piece, and all of it goes with the last process in it.
"""

import os
import stat
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

from cvmproof_simulator.devices.fuse import DEVICE, mount_options
from cvmproof_simulator.devices.system_calls import (
    CLONE_NEWNS,
    CLONE_NEWUSER,
    MS_BIND,
    MS_MOVE,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_REC,
    mount,
    unmount,
    unshare,
)

_SCRATCH: Final = Path("/tmp")  # noqa: S108 -- covered by a file system of our own, and only while this is set up
_NAME: Final = "cvmproof-simulated"


def enter_user_namespace(*, become_root: bool) -> None:
    """Get a user namespace of one's own, as root in it or as who one is; raises OSError."""
    user, group = os.getuid(), os.getgid()
    unshare(CLONE_NEWUSER)
    inside_user, inside_group = (0, 0) if become_root else (user, group)
    Path("/proc/self/setgroups").write_text("deny", encoding="utf-8")
    Path("/proc/self/uid_map").write_text(f"{inside_user} {user} 1", encoding="utf-8")
    Path("/proc/self/gid_map").write_text(f"{inside_group} {group} 1", encoding="utf-8")


def enter_mount_namespace() -> None:
    """Get a view of one's own, from which nothing comes back; raises OSError."""
    unshare(CLONE_NEWNS)
    mount("none", "/", flags=MS_REC | MS_PRIVATE)


def let_anybody_open_fuse() -> None:
    """Show every user a FUSE device that it may open, in a view that root has of its own; raises OSError.

    Many systems have it so; where they don't, a command that root launches as somebody else would be without.
    """
    number = Path(DEVICE).stat().st_rdev
    mount(_NAME, str(_SCRATCH), "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=0700")
    node = _SCRATCH / "fuse"
    os.mknod(node, stat.S_IFCHR, number)
    node.chmod(0o666)
    mount(str(node), DEVICE, flags=MS_BIND)
    unmount(str(_SCRATCH))


def mount_fuse(folder: Path) -> int:
    """Mount a FUSE file system; gives the descriptor its server needs.

    Raises OSError.
    """
    descriptor = os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        mount(_NAME, str(folder), f"fuse.{_NAME}", MS_NOSUID | MS_NODEV, mount_options(descriptor))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


class Scratch:
    """A place of our own in a mount namespace, to put mounts together in; gone when it is closed."""

    def __init__(self) -> None:
        """Cover a folder that every system has."""
        self._covers: set[int] = set()
        mount(_NAME, str(_SCRATCH), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700")
        self.served = _SCRATCH / "served"
        self.served.mkdir()

    def close(self) -> None:
        """Uncover it."""
        unmount(str(_SCRATCH))

    def place(self, path: str, hidden: Collection[str]) -> None:
        """Put what is served under this path at the path itself; `hidden` paths go where their folder is covered.

        Raises OSError.
        """
        source, target = self.served / path.lstrip("/"), Path(path)
        above = next(folder for folder in target.parents if folder.is_dir())
        self.cover(above, hidden)
        target.parent.mkdir(parents=True, exist_ok=True)
        _make_like(target, is_folder=source.is_dir())
        mount(str(source), path, flags=MS_BIND)

    def cover(self, folder: Path, hidden: Collection[str]) -> None:
        """Cover a folder by one with the same in it, so that more can be put there; raises OSError."""
        if folder.stat().st_dev in self._covers:
            return
        made = _SCRATCH / f"cover{len(self._covers)}"
        made.mkdir()
        mode = stat.S_IMODE(folder.stat().st_mode)
        mount(_NAME, str(made), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, f"mode={mode:o}")
        self._covers.add(made.stat().st_dev)
        for entry in os.scandir(folder):
            if entry.path not in hidden:
                _copy(entry, made / entry.name)
        mount(str(made), str(folder), flags=MS_MOVE)


def _copy(entry: os.DirEntry[str], target: Path) -> None:
    # What vanishes meanwhile, or may not be bound, is left out.
    with suppress(OSError):
        if entry.is_symlink():
            target.symlink_to(Path(entry.path).readlink())
            return
        is_folder = entry.is_dir()
        _make_like(target, is_folder=is_folder)
        mount(entry.path, str(target), flags=MS_BIND | MS_REC)


def _make_like(target: Path, *, is_folder: bool) -> None:
    if is_folder:
        target.mkdir(exist_ok=True)
    else:
        target.touch()
