"""What the launcher is to do, as the harness tells it on its command line."""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Self


class Through(StrEnum):
    """How devices get to the real paths."""

    AUTO = "auto"
    """FUSE where it can be mounted, else seccomp."""
    FUSE = "fuse"
    """A file system in a mount namespace; needs root, or user namespaces and a /dev/fuse that may be opened."""
    SECCOMP = "seccomp"
    """System calls answered one by one; needs x86-64 only, and has no configfs and no sysfs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One launch."""

    through: str
    paths: tuple[str, ...]
    """What FUSE puts in place."""
    devices: tuple[str, ...]
    """Those of them that seccomp can offer too."""
    hidden: tuple[str, ...]
    """What may exist and must not be seen."""
    must_have_all: bool
    """Whether leaving some of the paths out is an error."""
    has_quoting_service: bool
    guards_vsock: bool
    """Whether AF_VSOCK must be kept from the host."""
    quiet: bool
    user: int | None
    """Who runs the command, where root launches it; None: whoever launches it."""
    command: tuple[str, ...]

    def write(self) -> str:
        """Write it as one word of a command line."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Self:
        """Read what `write` wrote."""
        fields = json.loads(text)
        lists = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
        return cls(**fields | lists)
