"""Waiting to be told to stop, and telling the service manager meanwhile that work is being done."""

import logging
import signal
from collections.abc import Callable
from typing import Final

from cvmproof_agent.readiness import ALIVE, notify, watchdog_seconds

_log = logging.getLogger(__name__)
_STOP: Final = {signal.SIGTERM, signal.SIGINT}


def keep_signals() -> None:
    """Block them before the first thread exists, so that they wait for `wait_for_stop` and reach nobody else."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)


def wait_for_stop(responds: Callable[[float], bool]) -> None:
    """Wait for SIGTERM or SIGINT; tell a watchdog that we are alive as long as we respond within so many seconds."""
    interval = watchdog_seconds()
    if interval is None:
        signal.sigwait(_STOP)
        return
    while signal.sigtimedwait(_STOP, interval) is None:
        if responds(interval):
            notify(ALIVE)
        else:
            _log.error("nothing is being served: the service manager is told nothing")
