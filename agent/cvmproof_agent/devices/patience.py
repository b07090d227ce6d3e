"""How long a device is asked again: with pauses, never in a tight loop, and to a bound.

Linux drivers/virt/coco/sev-guest asks a busy host every 2 s for 60 s by itself (SNP_REQ_RETRY_DELAY,
SNP_REQ_MAX_RETRY_DURATION), and the host is right to make a guest wait. What is asked here ends soon after that.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds: from the first try to the start of the last one; the first pause, which doubles; the longest."""

    total: float = 65.0
    first: float = 0.25
    longest: float = 2.0

    def tries(self) -> Iterator[float]:
        """Give the seconds since the start before each try, the first at once; ends where no time is left."""
        started, pause = time.monotonic(), self.first
        while (elapsed := time.monotonic() - started) <= self.total:
            yield elapsed
            if time.monotonic() - started + pause > self.total:
                return
            time.sleep(pause)
            pause = min(2 * pause, self.longest)
