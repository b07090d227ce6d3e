"""The file behind `serve --config`: TOML, strict, and only from somebody who could change the agent anyway.

    listen = "0.0.0.0:8443"
    user_socket = "/run/cvmproof/user.sock"
    metrics = "unix:/run/cvmproof/metrics.sock"
    [limits]
    reports_per_second = 1.0

It can't name a simulated device: the command line alone can.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final

from cvmproof_agent.device import SIMULATED
from cvmproof_agent.limits import Limits
from cvmproof_formats.errors import Category, Misuse

_LIMIT: Final = 64 * 1024  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What the file says; None where it says nothing."""

    listen: str | None = None
    device: str | None = None
    user_socket: str | None = None
    metrics: str | None = None
    limits: Limits = field(default_factory=Limits)


def read_configuration(path: Path) -> Configuration:
    """Read a configuration file; raises Misuse for one that others may write, and for anything unknown in it."""
    document = _parse(path, _read(path))
    texts = {}
    for name in ("listen", "device", "user_socket", "metrics"):
        value = document.pop(name, None)
        if value is not None and not isinstance(value, str):
            raise Misuse(f"{path}: {name}: expected a text, got {value!r:.60}")
        texts[name] = value
    if (texts["device"] or "").startswith(SIMULATED):
        raise Misuse(f"{path}: device: only the command line can name a simulated one", category=Category.SIMULATED)
    limits = _limits(path, document.pop("limits", {}))
    if document:
        raise Misuse(f"{path}: {sorted(document)[0]!r:.60} is not a setting")
    return Configuration(**texts, limits=limits)


def _read(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:  # noqa: PTH123 -- what was opened is what is looked at
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_uid not in (0, os.geteuid()):
                raise Misuse(f"{path}: expected a regular file of root or of this user")
            if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise Misuse(f"{path}: expected a file that only its owner can write, got {found.st_mode & 0o777:04o}")
            return file.read(_LIMIT + 1)
    except OSError as error:
        raise Misuse(f"{path}: can't be read: {error.strerror or error}") from error


def _parse(path: Path, data: bytes) -> dict[str, object]:
    import tomllib  # noqa: PLC0415 -- only where there is a file to read

    if len(data) > _LIMIT:
        raise Misuse(f"{path}: expected at most {_LIMIT} bytes")
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise Misuse(f"{path}: expected TOML: {str(error) or type(error).__name__}") from error


def _limits(path: Path, table: object) -> Limits:
    known = {item.name: item.type for item in fields(Limits)}
    if not isinstance(table, Mapping) or not table.keys() <= known.keys():
        raise Misuse(f"{path}: limits: expected only {', '.join(known)}")
    for name, value in table.items():
        whole = type(getattr(Limits(), name)) is int
        if type(value) is not int and (whole or type(value) is not float):
            raise Misuse(f"{path}: limits: {name}: expected a {'whole ' * whole}number, got {value!r:.60}")
    return Limits(**table)
