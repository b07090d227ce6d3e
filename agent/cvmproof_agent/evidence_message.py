"""Evidence as the message of the contract."""

from cvmproof_formats.evidence_fields import Evidence
from cvmproof_protos.v1 import evidence_pb2


def evidence_message(evidence: Evidence) -> evidence_pb2.Evidence:
    """Put evidence into its message, field by field."""
    return evidence_pb2.Evidence(
        tee=evidence.tee,
        binding=evidence.binding or "",
        role=evidence.role or "",
        nonce=evidence.nonce or b"",
        spki=evidence.spki or b"",
        report=evidence.report,
        certificates=evidence.certificates,
        event_log=evidence.event_log or b"",
        uid=evidence.uid,
        user_data=evidence.user_data,
    )
