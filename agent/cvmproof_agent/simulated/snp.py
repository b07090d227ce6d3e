"""A SIMULATED SNP guest as a device; its options are those of cvmproof_simulator.machines.snp."""

from collections.abc import Sequence

from cvmproof_agent.device import Device
from cvmproof_formats.binding import Tee
from cvmproof_simulator.machines.snp import SnpMachine, read_snp
from cvmproof_simulator.psp import ReportFields, SoftwarePsp


class SimulatedSnp:
    """One SIMULATED guest on a SIMULATED chip."""

    tee = Tee.SEV_SNP

    def __init__(self, psp: SoftwarePsp, name: str, fields: ReportFields | None = None) -> None:
        """Take the chip, and what its reports say other than an ordinary guest's."""
        self.name = name
        self._machine = SnpMachine(psp=psp, fields=fields or ReportFields())
        self._certificates = psp.certificates()

    @property
    def vmpl(self) -> int:
        """The level that its reports carry."""
        return self._machine.vmpl

    def report(self, report_data: bytes) -> bytes:
        """Sign a report."""
        return self._machine.report(report_data)

    def certificates(self) -> tuple[bytes, ...]:
        """Leaf, intermediate and root."""
        return self._certificates

    def event_log(self) -> bytes | None:
        """SNP guests without a vTPM have none."""
        return None

    def close(self) -> None:
        """Nothing is held."""


def open_it(name: str, parts: Sequence[str]) -> Device:
    """Open one with these options; raises Misuse."""
    machine = read_snp(parts)
    return SimulatedSnp(machine.psp, name, machine.fields)
