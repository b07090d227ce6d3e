"""Looks at the guest as an attacker in it would: whether the device is ours alone, and nobody else signs raw data.

Whoever can have 64 bytes of its own choosing reported can make evidence that says anything, this agent's bindings
included. So besides the device itself, what is looked for is every other way to it: nodes that others may open, and
programs known to hand out reports over a caller's own data. design section 4
"""

import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from cvmproof_agent.attester import Attester
from cvmproof_agent.collecting import collect
from cvmproof_agent.device import Device
from cvmproof_formats.binding import NONCE_SIZE, Tee
from cvmproof_formats.errors import CvmproofError

# Linux: sev-guest, tdx-guest and TPM character devices, and the configfs-tsm folder (Documentation/ABI/testing).
NODES: Final = ("dev/sev-guest", "dev/tdx_guest", "dev/tpm0", "dev/tpmrm0", "sys/kernel/config/tsm/report")
# Where other attestation services of a guest take report data from their callers.
SERVICES: Final = (
    "run/cocos/attestation.sock",
    "run/confidential-containers/attestation-agent/attestation-agent.sock",
    "run/confidential-containers/cdh.sock",
)
PORTS: Final = {50002: "an attestation agent", 8006: "an attestation REST service"}
_LISTENING: Final = "0A"  # proc(5), /proc/net/tcp: state TCP_LISTEN
_IN_MEMORY_SWAP: Final = "/dev/zram"


class Outcome(StrEnum):
    """What a question came to."""

    OK = "ok"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One question, its answer, and what to do where that is bad."""

    id: str
    outcome: Outcome
    message: str
    hint: str = ""


def examine_device(open_it: Callable[[], Device | Attester]) -> Finding:
    """Ask the device for a report or quote and hold it to what was asked."""
    try:
        device = open_it()
        try:
            started = time.monotonic()
            kind = "quote" if collect(device, nonce=bytes(NONCE_SIZE)).tee is Tee.TDX else "report"
            seconds = time.monotonic() - started
        finally:
            device.close()
    except CvmproofError as error:
        return Finding(id="device", outcome=Outcome.FAIL, message=str(error), hint=error.hint)
    return Finding(id="device", outcome=Outcome.OK, message=f"{device.name}: a {kind} in {1000 * seconds:.0f} ms")


def examine_guest(root: Path) -> tuple[Finding, ...]:
    """Look for other ways to the device, and for swap, below a root folder."""
    return (
        _conclude("nodes", list(_open_nodes(root)), "no device node can be opened by everybody", "chmod o-rwx it"),
        _conclude(
            "signers",
            [*_services(root), *_ports(root)],
            "no other service known to report a caller's own data",
            "remove it from the image: its reports could carry any of this agent's bindings",
        ),
        _conclude(
            "swap", list(_swaps(root)), "no swap but in memory", "swapoff: keys in memory would be written there"
        ),
    )


def _conclude(name: str, found: list[str], good: str, hint: str) -> Finding:
    if found:
        return Finding(id=name, outcome=Outcome.FAIL, message="; ".join(found), hint=hint)
    return Finding(id=name, outcome=Outcome.OK, message=good)


def _open_nodes(root: Path) -> Iterator[str]:
    for name in NODES:
        mode = _mode(root / name)
        if mode & (stat.S_IROTH | stat.S_IWOTH) and (mode & stat.S_IWOTH or not stat.S_ISDIR(mode)):
            yield f"/{name} has mode {stat.S_IMODE(mode):04o}"


def _services(root: Path) -> Iterator[str]:
    for name in SERVICES:
        if stat.S_ISSOCK(_mode(root / name)):
            yield f"a service listens at /{name}"


def _ports(root: Path) -> Iterator[str]:
    for table in ("proc/net/tcp", "proc/net/tcp6"):
        for line in _lines(root / table)[1:]:
            fields = line.split()
            port = int(fields[1].rpartition(":")[2], 16)
            if fields[3] == _LISTENING and port in PORTS:
                yield f"{PORTS[port]} seems to listen on port {port}"


def _swaps(root: Path) -> Iterator[str]:
    for line in _lines(root / "proc/swaps")[1:]:
        name = line.split()[0]
        if not name.startswith(_IN_MEMORY_SWAP):
            yield f"swap on {name}"


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("ascii", "replace").splitlines()
    except OSError:
        return []
