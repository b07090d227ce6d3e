"""Which of the kernel's interfaces this guest has, and why the others can't be used."""

import errno
from collections.abc import Sequence
from typing import Final

from cvmproof_agent.devices.probing import Probe
from cvmproof_agent.doctor.finding import Finding, Outcome
from cvmproof_formats.errors import DeviceError

# The kernel's answers where an interface does not exist in this guest, which is no fault as long as another one does.
_ABSENT: Final = {errno.ENOENT, errno.ENXIO, errno.ENODEV}
# What a process is told that leaves the device to its owner.
_NOT_OURS: Final = {errno.EACCES, errno.EPERM}


def examine_interfaces(probes: Sequence[Probe], *, owned: bool = False) -> tuple[Finding, ...]:
    """Put each probe into words; where the device is `owned` by another process, being refused is no fault."""
    missed = not any(probe.usable for probe in probes) and not owned
    return tuple(_finding(probe, missed=missed, owned=owned) for probe in probes)


def _finding(probe: Probe, *, missed: bool, owned: bool) -> Finding:
    if probe.error is None:
        return Finding(id=probe.name, outcome=Outcome.PASS, message=f"there, for {probe.tee}")
    hint = probe.error.hint if missed or probe.error.errno not in _ABSENT else ""
    return Finding(id=probe.name, outcome=_outcome(probe.error, owned=owned), message=str(probe.error), hint=hint)


def _outcome(error: DeviceError, *, owned: bool) -> Outcome:
    if error.errno in _ABSENT or (owned and error.errno in _NOT_OURS):
        return Outcome.SKIP
    return Outcome.FAIL
