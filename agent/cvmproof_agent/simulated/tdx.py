"""A SIMULATED TD as a device; its options are those of cvmproof_simulator.machines.tdx."""

from collections.abc import Sequence

from cvmproof_agent.device import Device
from cvmproof_formats.binding import Tee
from cvmproof_simulator.machines.tdx import TdxMachine, read_tdx
from cvmproof_simulator.tdx.quoting_enclave import BodyFields
from cvmproof_simulator.tdx.td import SoftwareTd


class SimulatedTdx:
    """One SIMULATED TD on a SIMULATED machine."""

    tee = Tee.TDX
    vmpl = None

    def __init__(self, td: SoftwareTd, name: str, *, version: int = 4, fields: BodyFields | None = None) -> None:
        """Take the TD, the version of its quotes, and what these say other than an ordinary TD's."""
        self.name = name
        self._machine = TdxMachine(td=td, version=version, fields=fields or BodyFields())

    def report(self, report_data: bytes) -> bytes:
        """Sign a quote."""
        return self._machine.quote(report_data)

    def certificates(self) -> tuple[bytes, ...]:
        """None: a quote brings its own."""
        return ()

    def event_log(self) -> bytes | None:
        """Give the log of the boot as firmware left it."""
        return self._machine.td.event_log()

    def close(self) -> None:
        """Nothing is held."""


def open_it(name: str, parts: Sequence[str]) -> Device:
    """Open one with these options; raises Misuse."""
    machine = read_tdx(parts)
    return SimulatedTdx(machine.td, name, version=machine.version, fields=machine.fields)
