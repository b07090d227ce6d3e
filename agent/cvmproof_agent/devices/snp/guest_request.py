"""A guest request to firmware through /dev/sev-guest, and what became of it where there is no answer.

Follows Linux Documentation/virt/coco/sev-guest.rst and drivers/virt/coco/sev-guest. The driver talks to firmware under
a key (VMPCK) whose counter must never repeat. Where it can't tell whether a number was used it destroys the key, and
answers ENOTTY from then on: no evidence until the guest restarts.
"""

import ctypes
import errno
from typing import Final

from cvmproof_agent.devices.node import Node
from cvmproof_agent.devices.refusal import PASSING, Reason, Reasons, refused, spell
from cvmproof_agent.devices.snp import abi
from cvmproof_agent.devices.snp.error_words import spell_error
from cvmproof_formats.errors import DeviceError

PATH: Final = "/dev/sev-guest"

_LOAD = "is this an SNP guest (dmesg | grep SEV-SNP)? then: modprobe sev-guest (Linux 5.19 or newer, CONFIG_SEV_GUEST)"
_RESTART = "restart the guest: nothing else brings the key back; the kernel's log says what happened before"
REASONS: Final[Reasons] = {
    errno.ENOENT: Reason("no such device node", _LOAD),
    errno.ENODEV: Reason("no driver behind this device node", _LOAD),
    errno.ENXIO: Reason("no driver behind this device node", _LOAD),
    errno.EACCES: Reason(
        "it is not ours to open", "run as root, or as a member of the group that a udev rule gave it to"
    ),
    errno.EPERM: Reason(
        "it is not ours to open",
        "run as root; in a container or a unit, allow the device (DeviceAllow=/dev/sev-guest rw)",
    ),
    errno.EINVAL: Reason(
        "the driver takes no such request", "is the kernel older than Linux 5.19, or the VMPL not its own?"
    ),
    errno.EFAULT: Reason("the driver could not reach our memory"),
    errno.ENOTTY: Reason("the driver has given up its key (VMPCK)", _RESTART, lost=True),
    errno.EBADMSG: Reason("firmware's answer was not authentic, and the driver gives up its key", _RESTART, lost=True),
    errno.ENOSR: Reason("the counter of messages is used up", _RESTART, lost=True),
    errno.ETIMEDOUT: Reason(
        "the host was busy for longer than the driver waits", "ask less often, or ask the host why"
    ),
    errno.ENOSPC: Reason("the certificates do not fit"),
    errno.ENOMEM: Reason("the kernel has no memory for it"),
}


class Busy(DeviceError):
    """Driver or host have no time now; may pass."""


class BufferTooSmall(DeviceError):
    """The host has more certificates than there was room for; the request says how much it takes."""


def ask_once(node: Node, request: int, call: str, wanted: ctypes.Structure, response: ctypes.Structure) -> None:
    """Ask once; `wanted` and `response` are what the header says of the request.

    Raises DeviceError, one of those above where it fits, DeviceLost where the driver's key is gone.
    """
    argument = abi.GuestRequest(
        msg_version=abi.MESSAGE_VERSION, req_data=ctypes.addressof(wanted), resp_data=ctypes.addressof(response)
    )
    try:
        node.ask(request, argument)
    except OSError as error:
        if error.errno == errno.EIO:
            # Only here do the error words mean anything: early drivers copied back what they never set.
            raise _failed(argument, node.path, call) from error
        raise _refused(error, node.path, call) from error


def _failed(argument: abi.GuestRequest, path: str, call: str) -> DeviceError:
    kinds = {abi.VMM_INVALID_LENGTH: BufferTooSmall, abi.VMM_BUSY: Busy}
    why = spell_error(firmware=argument.fw_error, vmm=argument.vmm_error)
    kind = kinds.get(argument.vmm_error, DeviceError)
    return kind(f"{path}: {call}: {spell(errno.EIO)}: {why}", path=path, call=call, errno=errno.EIO)


def _refused(error: OSError, path: str, call: str) -> DeviceError:
    failure = refused(error, path=path, call=call, reasons=REASONS)
    if error.errno in PASSING:
        return Busy(str(failure), path=path, call=call, errno=error.errno)
    return failure
