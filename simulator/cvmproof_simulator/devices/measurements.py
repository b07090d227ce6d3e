"""Measurement registers of a TD in sysfs; Linux Documentation/ABI/testing/sysfs-devices-virtual-misc-tdx_guest."""

import errno
from typing import Final

from cvmproof_formats.tdx.event_log import REGISTER_SIZE, RTMRS
from cvmproof_simulator.devices.nodes import Content, File, Folder, Node, blob, refusal
from cvmproof_simulator.devices.td_guest import TdGuest

_FIXED: Final = {
    "mrconfigid": "mr_config_id",
    "mrowner": "mr_owner",
    "mrownerconfig": "mr_owner_config",
    "mrtd:sha384": "mr_td",
}


class Register(Content):
    """An RTMR while somebody has it open: writing exactly 48 bytes at its start extends it."""

    def __init__(self, td: TdGuest, rtmr: int) -> None:
        """Take whose, and which."""
        super().__init__(lambda: td.register(rtmr))
        self._td, self._rtmr = td, rtmr

    def write(self, data: bytes, offset: int) -> int:
        """Extend it; raises OSError (EINVAL) for another length or place."""
        if offset or len(data) != REGISTER_SIZE:
            raise refusal(errno.EINVAL)
        self._td.extend(self._rtmr, data)
        return len(data)


def measurements(td: TdGuest) -> Folder:
    """The folder of one TD."""
    body = td.machine.td.body(bytes(64))
    members: dict[str, Node] = {}
    for name, field in _FIXED.items():
        members[name] = _fixed(td.machine.fields.get(field) or getattr(body, field))
    for rtmr in range(RTMRS):
        members[f"rtmr{rtmr}:sha384"] = _register(td, rtmr)
    return Folder(members)


def _fixed(value: object) -> Node:
    if not isinstance(value, bytes):
        raise TypeError(f"expected a register of bytes, got {value!r}")
    return blob(lambda: value, permissions=0o400, size=REGISTER_SIZE)


def _register(td: TdGuest, rtmr: int) -> Node:
    return File(0o600, lambda: Register(td, rtmr), size=REGISTER_SIZE)
