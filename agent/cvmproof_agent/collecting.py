"""Evidence for a file: bound to a verifier's nonce, or to what a user of this guest has to say."""

import os

from cvmproof_agent.attester import Attester, as_attester
from cvmproof_agent.device import Device
from cvmproof_agent.statement import NonceStatement, UserStatement
from cvmproof_formats.binding import Role
from cvmproof_formats.errors import Misuse
from cvmproof_formats.evidence_fields import Evidence


def collect(
    device: Device | Attester,
    *,
    nonce: bytes | None = None,
    user_data: bytes | None = None,
    event_log: bool = False,
) -> Evidence:
    """Get evidence over a nonce (exactly 32 bytes, the verifier's) or over user data (at most 4096 bytes) and our uid.

    Either way it proves no connection to anything: whoever appraises it grades it evidence-only.
    Raises Misuse for neither, both, or another length; DeviceError.
    """
    if (nonce is None) == (user_data is None):
        raise Misuse("collect: expected a nonce or user data, and not both")
    statement = (
        UserStatement(uid=os.getuid(), user_data=user_data or b"")
        if nonce is None
        else NonceStatement(role=Role.SERVER, nonce=nonce)
    )
    return as_attester(device).attest(statement, event_log=event_log)
