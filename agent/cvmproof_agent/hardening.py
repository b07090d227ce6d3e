"""Keeps the key in memory where it is: no core dump, no swap, and nobody but root may look into the process.

Python can't wipe memory, so what matters is that it stays in one place until the process ends. Where the limits don't
allow to lock it, it is said and `doctor` looks for swap. `no_new_processes` sees to it that nothing is copied to a
child. Linux only, like the agent.
"""

import ctypes
import logging
import os
import resource
from typing import Final

_log = logging.getLogger(__name__)
_PR_SET_DUMPABLE: Final = 4  # prctl(2)
# mlockall(2). On fault: a page is locked once it is used; whole stacks and arenas would be fetched into memory else.
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4
_UNLIMITED: Final = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def keep_memory_private() -> None:
    """Forbid core dumps, attaching and swapping; where the system refuses, say so and go on."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        _log.warning("could not make the process undumpable: %s", os.strerror(ctypes.get_errno()))
    _lock(libc)


def _lock(libc: ctypes.CDLL) -> None:
    """Lock what is there and what will be, but only without a limit: at one, memory would run out later."""
    try:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, _UNLIMITED)
    except (OSError, ValueError):  # Python says ValueError for what the system calls EPERM
        _log.info("memory is not locked, since its limit is not infinity (LimitMEMLOCK=): have no swap")
        return
    if libc.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT) != 0:
        _log.warning("could not lock memory, have no swap: %s", os.strerror(ctypes.get_errno()))
