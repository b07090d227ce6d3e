"""What a kernel offers to a guest: the interfaces that can be chosen, and where they are."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from cvmproof_formats.errors import Misuse
from cvmproof_simulator.machines.described import Machine
from cvmproof_simulator.machines.snp import SnpMachine


class Interface(StrEnum):
    """One interface of a kernel."""

    SEV_GUEST = "sev-guest"
    """/dev/sev-guest, since Linux 5.19."""
    TDX_GUEST = "tdx-guest"
    """/dev/tdx_guest with TDX_CMD_GET_REPORT0, since Linux 6.2."""
    TDX_GUEST_VENDOR = "tdx-guest-vendor"
    """The quote and RTMR ioctls that vendors' kernels add to /dev/tdx_guest."""
    TDX_GUEST_MVP = "tdx-guest-mvp"
    """/dev/tdx-guest of the first kernels for TDX, with structures of pointers."""
    TDX_ATTEST = "tdx-attest"
    """The same as /dev/tdx-attest, the oldest name."""
    TSM = "tsm"
    """configfs-tsm, since Linux 6.7."""
    MEASUREMENTS = "measurements"
    """Measurement registers in sysfs, since Linux 6.16."""
    CCEL = "ccel"
    """The boot event log that firmware leaves behind an ACPI table."""
    QGS = "qgs"
    """A quote generation service at the host's port 4050."""


PATHS: Final = {
    Interface.SEV_GUEST: ("/dev/sev-guest",),
    Interface.TDX_GUEST: ("/dev/tdx_guest",),
    Interface.TDX_GUEST_VENDOR: ("/dev/tdx_guest",),
    Interface.TDX_GUEST_MVP: ("/dev/tdx-guest",),
    Interface.TDX_ATTEST: ("/dev/tdx-attest",),
    Interface.TSM: ("/sys/kernel/config/tsm",),
    Interface.MEASUREMENTS: ("/sys/devices/virtual/misc/tdx_guest/measurements",),
    Interface.CCEL: ("/sys/firmware/acpi/tables/CCEL", "/sys/firmware/acpi/tables/data/CCEL"),
    Interface.QGS: (),
}
REPORT_FOLDER: Final = "/sys/kernel/config/tsm/report"
"""Where entries of configfs-tsm are made."""
BY_SYSTEM_CALLS: Final = frozenset(
    {Interface.SEV_GUEST, Interface.TDX_GUEST, Interface.TDX_GUEST_VENDOR, Interface.TDX_GUEST_MVP}
    | {Interface.TDX_ATTEST, Interface.QGS}
)
"""What can be offered without a file system of our own."""
_OF_SNP: Final = (Interface.SEV_GUEST, Interface.TSM)
_OF_TDX: Final = tuple(each for each in Interface if each is not Interface.SEV_GUEST)
_USUAL_TDX: Final = (
    Interface.TDX_GUEST,
    Interface.TSM,
    Interface.MEASUREMENTS,
    Interface.CCEL,
    Interface.QGS,
)


def usual(machine: Machine) -> tuple[Interface, ...]:
    """What a current kernel offers on such a machine."""
    return _OF_SNP if isinstance(machine, SnpMachine) else _USUAL_TDX


def read_interfaces(text: str, machine: Machine) -> tuple[Interface, ...]:
    """Read names with commas between; raises Misuse for others, and for those that such a machine can't have."""
    possible = _OF_SNP if isinstance(machine, SnpMachine) else _OF_TDX
    chosen = tuple(dict.fromkeys(text.split(",")))
    for name in chosen:
        if name not in possible:
            raise Misuse(f"--kernel: on this machine expected some of {', '.join(possible)}, got {name!r:.60}")
    return tuple(map(Interface, chosen))


def paths(interfaces: Iterable[Interface]) -> tuple[str, ...]:
    """Where they are, in the order of the declaration above."""
    chosen = set(interfaces)
    return tuple(dict.fromkeys(path for interface, found in PATHS.items() if interface in chosen for path in found))
