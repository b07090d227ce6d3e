"""Other programs known to hand out reports over what a caller brings, found by where they listen or what they left."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cvmproof_agent.doctor.finding import Finding, conclude
from cvmproof_agent.doctor.tables import lines

# Where each says that it listens, in its own documentation.
SOCKETS: Final = (
    "run/cocos/attestation.sock",
    "run/confidential-containers/attestation-agent/attestation-agent.sock",
    "run/confidential-containers/cdh.sock",
    "run/container_launcher/teeserver.sock",
    "run/dstack.sock",
    "run/tappd.sock",
)
# systemd-report(1): each service linked in here signs a digest that its caller brings.
SOCKET_FOLDERS: Final = ("run/systemd/report.sign",)
PORTS: Final = {50002: "an attestation agent", 8006: "an attestation REST service"}
# Documentation/ABI/testing/configfs-tsm-report: each folder in here is somebody's request.
ENTRIES: Final = "sys/kernel/config/tsm/report"
OURS: Final = "cvmproof-"
_LISTENING: Final = "0A"  # proc(5), /proc/net/tcp: state TCP_LISTEN


def examine_signers(root: Path) -> Finding:
    """Look for them below a root folder."""
    return conclude(
        "signers",
        [*_sockets(root), *_ports(root), *_entries(root)],
        good="no other service known to report a caller's own data",
        hint="remove it from the image: its reports could carry any of this agent's bindings",
    )


def _sockets(root: Path) -> Iterator[str]:
    folders = [path for folder in SOCKET_FOLDERS for path in _inside(root / folder)]
    for path in (*(root / name for name in SOCKETS), *folders):
        if _is_socket(path):
            yield f"a service listens at /{path.relative_to(root)}"


def _ports(root: Path) -> Iterator[str]:
    for table in ("proc/net/tcp", "proc/net/tcp6"):
        for line in lines(root / table)[1:]:
            fields = line.split()
            port = int(fields[1].rpartition(":")[2], 16)
            if fields[3] == _LISTENING and port in PORTS:
                yield f"{PORTS[port]} seems to listen on port {port}"


def _entries(root: Path) -> Iterator[str]:
    for entry in _inside(root / ENTRIES):
        if entry.is_dir() and not entry.name.startswith(OURS):
            yield f"somebody else keeps the entry {entry.name!r:.60} in /{ENTRIES}"


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False
