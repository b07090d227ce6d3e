"""The contract only grows: whatever `v1.txt` lists is still there, and what is new has been listed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor

from cvmproof_protos.v1 import attestation_pb2, evidence_pb2

LISTED = Path(__file__).with_name("v1.txt")
TYPES = {
    getattr(FieldDescriptor, name): name.removeprefix("TYPE_").lower()
    for name in dir(FieldDescriptor)
    if name.startswith("TYPE_")
}
FORBIDDEN = ("report_data", "reportdata", "user_report", "hash", "digest")


def describe(file: FileDescriptor) -> Iterator[str]:
    for message in file.message_types_by_name.values():
        yield f"message {message.full_name}"
        yield from (describe_field(field) for field in message.fields)
    for service in file.services_by_name.values():
        for method in service.methods:
            request, answer = method.input_type.full_name, method.output_type.full_name
            streams = f"{'stream ' * method.client_streaming}{request} -> {'stream ' * method.server_streaming}{answer}"
            yield f"rpc {service.full_name}.{method.name}: {streams}"


def describe_field(field: FieldDescriptor) -> str:
    kind = field.message_type.full_name if field.message_type else TYPES[field.type]
    owner = field.containing_type.full_name if field.containing_type else ""
    shape = "repeated " * field.is_repeated + "optional " * (field.has_presence and not field.message_type)
    return f"field {owner}.{field.name} = {field.number}: {shape}{kind}"


CONTRACT = [line for file in (attestation_pb2.DESCRIPTOR, evidence_pb2.DESCRIPTOR) for line in describe(file)]


def test_nothing_that_was_published_is_gone_or_other() -> None:
    missing = [line for line in LISTED.read_text().splitlines() if line not in CONTRACT]
    assert missing == [], "v1 is additive only: old clients would break"


def test_what_is_new_is_listed() -> None:
    assert sorted(CONTRACT) == LISTED.read_text().splitlines()


def test_no_message_carries_report_data() -> None:
    names = [line.split(" = ")[0].rpartition(".")[2] for line in CONTRACT if line.startswith("field ")]
    assert [name for name in names if any(word in name for word in FORBIDDEN)] == []


@pytest.mark.parametrize("name", ["EvidenceRequest", "AttestedRequest", "EventLogRequest", "InfoRequest"])
def test_a_request_brings_a_nonce_and_nothing_that_could_be_signed_as_it_is(name: str) -> None:
    message: Descriptor = attestation_pb2.DESCRIPTOR.message_types_by_name[name]
    assert {field.name for field in message.fields} <= {"nonce", "event_log"}
