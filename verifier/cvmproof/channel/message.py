"""The attested exchange's messages: protobuf on the wire, the same values as everywhere else inside."""

from enum import StrEnum
from typing import TypeVar

from google.protobuf.message import DecodeError

from cvmproof.spelling import escape
from cvmproof_formats.binding import NONCE_SIZE, SPKI_SIZE, USER_DATA_LIMIT, BindingKind, Role, Tee
from cvmproof_formats.errors import Category, EndpointError, Malformed
from cvmproof_formats.evidence import CERTIFICATE_COUNT_LIMIT, EVENT_LOG_LIMIT, REPORT_LIMIT, Evidence
from cvmproof_protos.v1 import attestation_pb2, evidence_pb2

Choice = TypeVar("Choice", bound=StrEnum)
_MESSAGE_LIMIT = 200  # characters of the other end's words
_OF_REFUSALS = frozenset({Category.RATE_LIMIT, Category.UNAVAILABLE, Category.MALFORMED, Category.SIZE_LIMIT})


def request(nonce: bytes, *, event_log: bool) -> bytes:
    """Write the request for evidence: a nonce of 32 bytes, and whether the event log should come along."""
    return attestation_pb2.AttestedRequest(nonce=nonce, event_log=event_log).SerializeToString()


def read_answer(data: bytes) -> Evidence:
    """Read the answer.

    Raises EndpointError where it is a refusal, Malformed for anything but an answer, with category SIZE_LIMIT for one
    whose parts are too large.
    """
    try:
        answer = attestation_pb2.AttestedAnswer.FromString(data)
    except DecodeError as error:
        raise Malformed(f"answer: expected an AttestedAnswer, got {len(data)} other bytes") from error
    match answer.WhichOneof("answer"):
        case "evidence":
            return read_message(answer.evidence)
        case "refusal":
            raise _refused(answer.refusal)
    raise Malformed("answer: expected evidence or a refusal, got neither")


def read_message(message: evidence_pb2.Evidence) -> Evidence:
    """Read an evidence message; raises Malformed, with category SIZE_LIMIT for parts that are too large."""
    certificates = tuple(message.certificates)
    if len(certificates) > CERTIFICATE_COUNT_LIMIT:
        raise _too_large("certificates", len(certificates), CERTIFICATE_COUNT_LIMIT, "")
    _require_at_most("report with its certificates", sum(map(len, certificates), len(message.report)), REPORT_LIMIT)
    _require_at_most("event log", len(message.event_log), EVENT_LOG_LIMIT)
    _require_at_most("user data", len(message.user_data), USER_DATA_LIMIT)
    return Evidence(
        tee=_choice("tee", message.tee, Tee),
        binding=_choice("binding", message.binding, BindingKind),
        role=_choice("role", message.role, Role) if message.role else None,
        nonce=_sized("nonce", message.nonce, NONCE_SIZE),
        spki=_sized("spki", message.spki, SPKI_SIZE),
        report=message.report,
        certificates=certificates,
        event_log=message.event_log or None,
        uid=message.uid if message.HasField("uid") else None,
        user_data=message.user_data if message.HasField("user_data") else None,
    )


def _refused(refusal: attestation_pb2.Refusal) -> EndpointError:
    category = next((known for known in _OF_REFUSALS if known == refusal.category), Category.ENDPOINT)
    return EndpointError(f"the agent refused: {escape(refusal.message, _MESSAGE_LIMIT)}", category=category)


def _choice(what: str, value: str, choices: type[Choice]) -> Choice:
    try:
        return choices(value)
    except ValueError as error:
        message = f"evidence: {what}: expected one of {', '.join(choices)}, got {escape(value, 40)}"
        raise Malformed(message, category=Category.UNSUPPORTED) from error


def _sized(what: str, value: bytes, size: int) -> bytes | None:
    if value and len(value) != size:
        raise Malformed(f"evidence: {what}: expected {size} bytes, got {len(value)}")
    return value or None


def _require_at_most(what: str, size: int, limit: int) -> None:
    if size > limit:
        raise _too_large(what, size, limit, " bytes")


def _too_large(what: str, size: int, limit: int, unit: str) -> Malformed:
    message = f"evidence: {what}: expected at most {limit}{unit}, got {size}"
    return Malformed(message, category=Category.SIZE_LIMIT)
