"""Evidence for a file: bound to a verifier's nonce, or to what a user of this guest has to say."""

import os

from cvmproof_agent.device import Device
from cvmproof_agent.gathering import gather
from cvmproof_formats.binding import BindingKind, Role, nonce_report_data, user_report_data
from cvmproof_formats.errors import Misuse
from cvmproof_formats.evidence_fields import Evidence


def collect(
    device: Device, *, nonce: bytes | None = None, user_data: bytes | None = None, event_log: bool = False
) -> Evidence:
    """Get evidence over a nonce (exactly 32 bytes, the verifier's) or over user data (at most 4096 bytes) and our uid.

    Either way it proves no connection to anything: whoever appraises it grades it evidence-only.
    Raises Misuse for neither, both, or another length; DeviceError.
    """
    if (nonce is None) == (user_data is None):
        raise Misuse("collect: expected a nonce or user data, and not both")
    if nonce is not None:
        report_data = nonce_report_data(role=Role.SERVER, tee=device.tee, nonce=nonce)
        labels = Evidence(tee=device.tee, report=b"", binding=BindingKind.NONCE, role=Role.SERVER, nonce=nonce)
        return gather(device, report_data, labels, event_log=event_log)
    return collect_for_user(device, uid=os.getuid(), user_data=user_data or b"", event_log=event_log)


def collect_for_user(device: Device, *, uid: int, user_data: bytes, event_log: bool = False) -> Evidence:
    """Get evidence over a uid, which the caller has from the kernel, and at most 4096 bytes; raises as `collect`."""
    report_data = user_report_data(tee=device.tee, uid=uid, user_data=user_data)
    labels = Evidence(tee=device.tee, report=b"", binding=BindingKind.USER, uid=uid, user_data=user_data)
    return gather(device, report_data, labels, event_log=event_log)
