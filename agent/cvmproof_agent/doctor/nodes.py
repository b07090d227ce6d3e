"""Whether only root, and whom we share a group with, can open what leads to the hardware.

Linux makes these nodes for root alone; a rule of the image may give them to the agent's group. A TPM counts where a
paravisor puts what it is told into reports, and has a group of its own by custom: tss.
"""

import grp
import stat
from pathlib import Path
from typing import Final

from cvmproof_agent.doctor.finding import Finding, conclude

# Linux drivers/virt/coco (sev-guest, tdx-guest) and their older names, Documentation/ABI/testing/configfs-tsm-report.
TEE_NODES: Final = (
    "dev/sev-guest",
    "dev/tdx_guest",
    "dev/tdx-guest",
    "dev/tdx-attest",
    "sys/kernel/config/tsm/report",
)
TPM_NODES: Final = ("dev/tpm0", "dev/tpmrm0")
GROUPS: Final = {"root", "cvmproof"}
TPM_GROUPS: Final = GROUPS | {"tss"}
_READ_OR_WRITE: Final = 0o6


def examine_nodes(root: Path, *, owner: int = 0) -> Finding:
    """Look at the nodes below a root folder; `owner` is the uid they should belong to."""
    found = [
        f"/{name} {fault}"
        for names, groups in ((TEE_NODES, GROUPS), (TPM_NODES, TPM_GROUPS))
        for name in names
        if (fault := _fault(root / name, owner, groups))
    ]
    hint = "chown root: and chmod 0600 it, or 0660 with the group cvmproof; then find the udev rule that opened it"
    return conclude("nodes", found, good="no device node can be opened by others", hint=hint)


def _fault(path: Path, owner: int, groups: set[str]) -> str:
    try:
        found = path.stat()
    except OSError:
        return ""
    # A folder may be looked into; whoever may write to it makes reports.
    asked = stat.S_IWOTH if stat.S_ISDIR(found.st_mode) else _READ_OR_WRITE
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid != owner:
        return f"belongs to uid {found.st_uid}"
    if mode & asked:
        return f"has mode {mode:04o}"
    if mode >> 3 & asked and (group := _group(found.st_gid)) not in groups:
        return f"has mode {mode:04o} for the group {group}"
    return ""


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
