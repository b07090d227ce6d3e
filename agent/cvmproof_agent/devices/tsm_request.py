"""One request to configfs-tsm: written, read, and counted, so that nothing but the answer to it is taken for one.

Follows Linux Documentation/ABI/testing/configfs-tsm-report: `generation` grows by one with every write, whoever's it
is. It is read before the first write and after each step; where it is not what our own writes make of it, somebody else
wrote to our entry, or a write of ours was lost, and all that was read is thrown away.
"""

import errno
import logging
from dataclasses import dataclass, field
from typing import Final

from cvmproof_agent.devices.patience import Patience
from cvmproof_agent.devices.refusal import PASSING
from cvmproof_agent.devices.tsm_entry import ROOT, Entry, new_entry
from cvmproof_formats.binding import REPORT_DATA_SIZE
from cvmproof_formats.errors import DeviceError

_log = logging.getLogger(__name__)

SEV_GUEST: Final = "sev_guest"  # KBUILD_MODNAME of drivers/virt/coco/sev-guest
TDX_GUEST: Final = "tdx_guest"  # and of drivers/virt/coco/tdx-guest
REPORT_LIMIT: Final = 64 * 1024  # bytes, design section 8.5; the kernel passes on more in newer versions
MANIFEST_LIMIT: Final = 64 * 1024  # bytes
CERTIFICATES_LIMIT: Final = 64 * 1024  # bytes
# An entry that is gone while we use it was removed by somebody else: as good as written to.
_AGAIN: Final = PASSING | {errno.ENOENT}


class _Disturbed(DeviceError):
    """Somebody else used our entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked for: 64 bytes of report data, of which provider, and what is written besides, name and value."""

    report_data: bytes = field(repr=False)
    provider: str
    settings: tuple[tuple[str, str], ...] = ()
    manifest: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Report or quote, the host's certificate table, and the services' manifest: of one generation."""

    outblob: bytes = field(repr=False)
    auxblob: bytes = field(default=b"", repr=False)
    manifest: bytes = field(default=b"", repr=False)


def ask(wanted: Wanted, *, root: str = ROOT, patience: Patience | None = None) -> Answer:
    """Ask until there is an answer, in an entry of its own each time, or until patience ends.

    Raises DeviceError with what the kernel said last, DeviceLost where there will be none until the guest restarts.
    """
    if len(wanted.report_data) != REPORT_DATA_SIZE:
        raise DeviceError(
            f"configfs-tsm: expected {REPORT_DATA_SIZE} bytes of report data, got {len(wanted.report_data)}"
        )
    last = DeviceError(f"{root}: no time to ask")
    for _ in (patience or Patience()).tries():
        try:
            with new_entry(root) as entry:
                return _ask_once(entry, wanted)
        except _Disturbed as error:
            last = error
        except DeviceError as error:
            if error.errno not in _AGAIN or error.call == "mkdir":
                raise
            last = error
    raise DeviceError(f"{last}; gave up asking", path=last.path, call=last.call, errno=last.errno, hint=last.hint)


def _ask_once(entry: Entry, wanted: Wanted) -> Answer:
    provider = entry.text("provider")
    if provider != wanted.provider:
        raise DeviceError(f"{entry.path}/provider: expected {wanted.provider}, got {provider!r:.40}")
    generation = entry.number("generation")
    for name, value in (*wanted.settings, ("inblob", wanted.report_data)):
        entry.write(name, value if isinstance(value, bytes) else f"{value}\n".encode())
        generation += 1
        _require_generation(entry, generation)
    outblob = _read(entry, "outblob", generation, limit=REPORT_LIMIT)
    auxblob = _certificates(entry, generation) if provider == SEV_GUEST else b""
    manifest = _read(entry, "manifestblob", generation, limit=MANIFEST_LIMIT) if wanted.manifest else b""
    return Answer(outblob=outblob, auxblob=auxblob, manifest=manifest)


def _read(entry: Entry, attribute: str, generation: int, *, limit: int) -> bytes:
    found = entry.read(attribute, limit=limit)
    _require_generation(entry, generation)
    return found


def _certificates(entry: Entry, generation: int) -> bytes:
    """Read the host's table; where it is too large it is left out: clients can get certificates elsewhere."""
    if not entry.has("auxblob"):
        return b""
    try:
        return _read(entry, "auxblob", generation, limit=CERTIFICATES_LIMIT)
    except _Disturbed:
        raise
    except DeviceError as error:
        if error.errno in (errno.EFBIG, None):
            _log.warning("left out the host's certificates: %s", error)
            return b""
        raise


def _require_generation(entry: Entry, expected: int) -> None:
    found = entry.number("generation")
    if found != expected:
        path = f"{entry.path}/generation"
        raise _Disturbed(
            f"{path}: expected {expected}, got {found}: somebody else writes there", path=path, call="read"
        )
