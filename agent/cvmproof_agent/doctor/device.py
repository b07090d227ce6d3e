"""Whether the device that would be used answers, and with what it was asked for."""

import time
from collections.abc import Callable
from typing import Final

from cvmproof_agent.attester import Attester
from cvmproof_agent.collecting import collect
from cvmproof_agent.device import Device
from cvmproof_agent.doctor.finding import Finding, Outcome
from cvmproof_formats.binding import NONCE_SIZE, Tee
from cvmproof_formats.errors import CvmproofError

DEVICE: Final = "device"
NONE: Final = Finding(
    id=DEVICE,
    outcome=Outcome.FAIL,
    message="none of these can be used",
    hint="do what is said above, or name a simulated device, which convinces nobody: --device simulated:snp",
)


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
        return Finding(id=DEVICE, outcome=Outcome.FAIL, message=str(error), hint=error.hint)
    return Finding(id=DEVICE, outcome=Outcome.PASS, message=f"{device.name}: a {kind} in {1000 * seconds:.0f} ms")
