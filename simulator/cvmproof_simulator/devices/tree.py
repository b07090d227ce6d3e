"""What a SIMULATED machine's kernel offers, as a tree of nodes that mirrors the real paths."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from cvmproof_simulator.devices.ccel import build_ccel
from cvmproof_simulator.devices.faults import Faults
from cvmproof_simulator.devices.interfaces import REPORT_FOLDER, Interface
from cvmproof_simulator.devices.measurements import measurements
from cvmproof_simulator.devices.nodes import File, Folder, Node, Opened, blob
from cvmproof_simulator.devices.sev_guest import SevGuest, SevGuestDriver
from cvmproof_simulator.devices.td_guest import TdGuest
from cvmproof_simulator.devices.tdx_guest import MvpTdxGuest, TdxGuest
from cvmproof_simulator.devices.tsm import Provider, Reports, SevProvider, TdxProvider
from cvmproof_simulator.machines.described import Machine
from cvmproof_simulator.machines.snp import SnpMachine
from cvmproof_simulator.machines.tdx import TdxMachine

_DEVICE: Final = 0o600
_MVP: Final = {Interface.TDX_GUEST_MVP: "/dev/tdx-guest", Interface.TDX_ATTEST: "/dev/tdx-attest"}


class Guest:
    """A machine while it runs: its tree, and what its state can be asked for."""

    def __init__(self, machine: Machine, interfaces: Iterable[Interface], faults: Faults) -> None:
        """Take the machine, what its kernel offers, and what is to fail."""
        self._machine = machine
        self.interfaces = frozenset(interfaces)
        self.faults = faults
        self.calls: Counter[str] = Counter()
        self.root = Folder()
        self.reports: Reports | None = None
        self.td: TdGuest | None = None
        self.devices: dict[str, File] = {}
        if isinstance(machine, SnpMachine):
            self._offer_snp(SevGuestDriver(machine, faults, self.calls))
        else:
            self.td = TdGuest(machine, faults, self.calls)
            self._offer_tdx(self.td)

    def entries(self) -> tuple[str, ...]:
        """The entries of configfs-tsm that there are now."""
        return () if self.reports is None else tuple(self.reports.members)

    def leave(self, name: str) -> None:
        """Make an entry as a process that crashed has left it."""
        if self.reports is not None:
            self.reports.make_folder(name)
            self.calls.clear()

    def warm_up(self) -> None:
        """Load whatever is loaded on first use, while that can be read."""
        if isinstance(self._machine, TdxMachine):
            self._machine.quote(bytes(64))
        else:
            self._machine.report(bytes(64))

    def _offer_snp(self, driver: SevGuestDriver) -> None:
        if Interface.SEV_GUEST in self.interfaces:
            self._device("/dev/sev-guest", SevGuest(driver))
        if Interface.TSM in self.interfaces:
            self._tsm(SevProvider(driver))

    def _offer_tdx(self, td: TdGuest) -> None:
        if self.interfaces & {Interface.TDX_GUEST, Interface.TDX_GUEST_VENDOR}:
            vendor = Interface.TDX_GUEST_VENDOR in self.interfaces
            self._device("/dev/tdx_guest", TdxGuest(td, self.faults, vendor=vendor))
        for interface, path in _MVP.items():
            if interface in self.interfaces:
                self._device(path, MvpTdxGuest(td, self.faults))
        if Interface.TSM in self.interfaces:
            self._tsm(TdxProvider(td))
        if Interface.MEASUREMENTS in self.interfaces:
            self._put("/sys/devices/virtual/misc/tdx_guest/measurements", measurements(td))
        if Interface.CCEL in self.interfaces:
            log = td.machine.td.event_log()
            self._put("/sys/firmware/acpi/tables/CCEL", _table(build_ccel(len(log))))
            self._put("/sys/firmware/acpi/tables/data/CCEL", _table(log))

    def _device(self, path: str, opened: Opened) -> None:
        self.devices[path] = device = File(_DEVICE, lambda: opened)
        self._put(path, device)

    def _tsm(self, provider: Provider) -> None:
        self.reports = Reports(provider, self.faults, self.calls)
        self._put(REPORT_FOLDER, self.reports)

    def _put(self, path: str, node: Node) -> None:
        *above, name = path.strip("/").split("/")
        folder = self.root
        for step in above:
            below = folder.members.setdefault(step, Folder())
            if not isinstance(below, Folder):
                raise TypeError(f"{path}: {step} is no folder")
            folder = below
        folder.members[name] = node


def _table(data: bytes) -> File:
    return blob(lambda: data, permissions=0o400, size=len(data))
