"""Who answers a statement with evidence: a device that this process has, or the process that owns the device.

open_attester("auto")       the hardware of this guest, opened here
open_attester("owner")      the device owner, asked at its socket; this process needs no right to any device
"""

from typing import Final, Protocol, runtime_checkable

from cvmproof_agent.device import Device, open_device
from cvmproof_agent.gathering import gather, read_event_log
from cvmproof_agent.statement import Statement
from cvmproof_formats.binding import Tee
from cvmproof_formats.evidence_fields import Evidence

OWNER: Final = "owner"


@runtime_checkable
class Attester(Protocol):
    """Answers statements; every call may block, and only one thread calls at a time."""

    @property
    def tee(self) -> Tee:
        """Which hardware vouches."""

    @property
    def name(self) -> str:
        """What to call its device in a log."""

    def attest(self, statement: Statement, *, event_log: bool = False) -> Evidence:
        """Get evidence that says this, with the event log where there is one and it is wanted; raises DeviceError."""

    def event_log(self) -> bytes | None:
        """Read the event log, at most 4 MiB, None where there is none; raises DeviceError."""

    def close(self) -> None:
        """Let go of what it holds."""


class DeviceAttester:
    """A device of this process."""

    def __init__(self, device: Device) -> None:
        """Take the device, and close it in the end."""
        self._device = device
        self.tee, self.name = device.tee, device.name

    def attest(self, statement: Statement, *, event_log: bool = False) -> Evidence:
        """Ask the device, and hold what it returns to what was asked; raises DeviceError."""
        return gather(self._device, statement, event_log=event_log)

    def event_log(self) -> bytes | None:
        """Read the event log; raises DeviceError."""
        return read_event_log(self._device)

    def close(self) -> None:
        """Close the device."""
        self._device.close()


def as_attester(source: Device | Attester) -> Attester:
    """Take either for what it can do."""
    return source if isinstance(source, Attester) else DeviceAttester(source)


def open_attester(name: str) -> Attester:
    """Open a device by name, or find its owner; raises as `open_device`."""
    if name != OWNER:
        return DeviceAttester(open_device(name))
    from cvmproof_agent.owner.client import OwnedDevice  # noqa: PLC0415 -- only where the device is somebody else's

    return OwnedDevice()
