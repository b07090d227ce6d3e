"""Keeps the key in memory where it is: no core dump, and nobody but root may look into the process.

Swap is the machine's to switch off; `doctor` looks. Nothing here starts another process, so no copy of the key is made
that way. Linux only, like the agent.
"""

import ctypes
import logging
import os
import resource
from typing import Final

_log = logging.getLogger(__name__)
_PR_SET_DUMPABLE: Final = 4  # prctl(2)


def keep_memory_private() -> None:
    """Forbid core dumps and attaching; where the system refuses, say so and go on."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        _log.warning("could not make the process undumpable: %s", os.strerror(ctypes.get_errno()))
