"""The evidence message mirrors the evidence file."""

from dataclasses import fields

import pytest

from cvmproof_formats.evidence import Evidence

evidence_pb2 = pytest.importorskip("cvmproof_protos.v1.evidence_pb2", reason="needs the extra agent")

# What a reader notes about a file, not what stands in it.
NOTED_BY_THE_READER = {"ignored_crls"}


def test_the_message_has_the_fields_of_the_evidence_file() -> None:
    message = {field.name for field in evidence_pb2.Evidence.DESCRIPTOR.fields}
    assert message == {field.name for field in fields(Evidence)} - NOTED_BY_THE_READER


def test_field_numbers_never_change() -> None:
    numbers = {field.number: field.name for field in evidence_pb2.Evidence.DESCRIPTOR.fields}
    assert numbers == {
        1: "tee",
        2: "binding",
        3: "role",
        4: "nonce",
        5: "spki",
        6: "report",
        7: "certificates",
        8: "event_log",
        9: "uid",
        10: "user_data",
    }


def test_a_message_comes_back_as_it_went() -> None:
    sent = evidence_pb2.Evidence(tee="sev-snp", binding="user", report=b"\x02" * 1184, certificates=[b"a", b"b"], uid=0)
    received = evidence_pb2.Evidence.FromString(sent.SerializeToString())
    assert received == sent
    assert received.HasField("uid")
    assert not received.HasField("user_data")
