"""A call that the kernel refused, as an error that says where, which call, which number, and what to do."""

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cvmproof_agent.device import DeviceLost
from cvmproof_formats.errors import DeviceError

# Refusals that may pass: whoever gets one may ask again, after a pause.
PASSING: Final = frozenset({errno.EAGAIN, errno.EBUSY, errno.EINTR})


@dataclass(frozen=True, slots=True)
class Reason:
    """What an errno means for one interface, what to do about it, and whether the device is gone for good."""

    why: str
    hint: str = ""
    lost: bool = False


Reasons = Mapping[int, Reason]


def refused(error: OSError, *, path: str, call: str, reasons: Reasons) -> DeviceError:
    """Put the kernel's no into words; DeviceLost where nothing will make it a yes before the guest restarts."""
    number = error.errno or 0
    reason = reasons.get(number, Reason(""))
    kind = DeviceLost if reason.lost else DeviceError
    why = f": {reason.why}" if reason.why else ""
    return kind(f"{path}: {call}: {spell(number)}{why}", path=path, call=call, errno=number, hint=reason.hint)


def once_more(lost: DeviceLost) -> DeviceLost:
    """Say again that a device is lost: an error that is raised twice would keep both stacks."""
    return DeviceLost(str(lost), path=lost.path, call=lost.call, errno=lost.errno, hint=lost.hint)


def spell(number: int) -> str:
    """Give an errno's text and name, such as "No such device (ENODEV)"."""
    return f"{os.strerror(number)} ({errno.errorcode.get(number, number)})"
