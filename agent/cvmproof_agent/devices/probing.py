"""Which of the kernel's interfaces this guest has, and why the others can't be used.

    configfs-tsm    both technologies; preferred: nothing but root reaches it, and nobody else's request can be mistaken
    sev-guest       SNP where the kernel is older, or where we may open a device but are not root
    tdx-guest       TDX likewise

Each is opened and closed again; no report is asked for. Without any of them nothing is opened, and nothing stands in.
"""

import errno
from dataclasses import dataclass
from typing import Final

from cvmproof_agent.device import SIMULATED_HINT, Device, open_hardware
from cvmproof_formats.binding import Tee
from cvmproof_formats.errors import DeviceError

INTERFACES: Final = ("configfs-tsm", "sev-guest", "tdx-guest")
"""In the order in which they are tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One interface: which technology it is there for, or why it can't be used."""

    name: str
    tee: Tee | None = None
    error: DeviceError | None = None

    @property
    def usable(self) -> bool:
        """It could be opened."""
        return self.error is None


def probe() -> tuple[Probe, ...]:
    """Look at each interface, in order of preference."""
    return tuple(map(_probe, INTERFACES))


def open_auto() -> Device:
    """Open the best interface there is; raises DeviceError that says of each why it can't be used."""
    errors = []
    for name in INTERFACES:
        try:
            return open_hardware(name)
        except DeviceError as error:
            errors.append((name, error))
    raise _nothing(errors)


def _probe(name: str) -> Probe:
    try:
        device = open_hardware(name)
    except DeviceError as error:
        return Probe(name=name, error=error)
    device.close()
    return Probe(name=name, tee=device.tee)


def _nothing(errors: list[tuple[str, DeviceError]]) -> DeviceError:
    # What is there and can't be used tells more than what is not there.
    nearest = next((error for _, error in errors if error.errno != errno.ENOENT), errors[0][1])
    why = "; ".join(f"{name}: {error}" for name, error in errors)
    hints = dict.fromkeys(error.hint for _, error in errors if error.hint)
    return DeviceError(
        f"no confidential computing device of a kind known here can be used: {why}",
        path=nearest.path,
        call=nearest.call,
        errno=nearest.errno,
        hint="; ".join([*hints, SIMULATED_HINT]),
    )
