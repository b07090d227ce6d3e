from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof.channel.message import read_answer, read_message, request
from cvmproof_formats.binding import SPKI_SIZE, BindingKind, Role, Tee
from cvmproof_formats.errors import Category, EndpointError, Malformed
from cvmproof_formats.evidence import CERTIFICATE_COUNT_LIMIT, EVENT_LOG_LIMIT, REPORT_LIMIT
from cvmproof_formats.frames import REQUEST_LIMIT
from cvmproof_protos.v1.attestation_pb2 import AttestedAnswer, AttestedRequest, Refusal
from cvmproof_protos.v1.evidence_pb2 import Evidence

GOOD = Evidence(
    tee="sev-snp",
    binding="channel",
    role="server",
    nonce=b"n" * 32,
    spki=b"k" * SPKI_SIZE,
    report=b"r" * 1184,
    certificates=[b"a", b"b"],
)


def changed(**fields: object) -> Evidence:
    evidence = Evidence()
    evidence.CopyFrom(GOOD)
    for name, value in fields.items():
        if name == "certificates":
            del evidence.certificates[:]
            evidence.certificates.extend(value)  # type: ignore[arg-type]  # as stated in the table
        else:
            setattr(evidence, name, value)
    return evidence


def test_a_request_holds_the_nonce_and_fits_its_frame() -> None:
    asked = AttestedRequest.FromString(request(b"n" * 32, event_log=True))
    assert (asked.nonce, asked.event_log) == (b"n" * 32, True)
    assert len(request(b"n" * 32, event_log=True)) <= REQUEST_LIMIT


def test_evidence_comes_out_as_it_was_sent() -> None:
    evidence = read_answer(AttestedAnswer(evidence=GOOD).SerializeToString())
    assert (evidence.tee, evidence.binding, evidence.role) == (Tee.SEV_SNP, BindingKind.CHANNEL, Role.SERVER)
    assert (evidence.nonce, evidence.spki, evidence.report) == (GOOD.nonce, GOOD.spki, GOOD.report)
    assert evidence.certificates == (b"a", b"b")
    assert (evidence.event_log, evidence.uid, evidence.user_data) == (None, None, None)


def test_what_is_left_out_is_none_and_not_empty() -> None:
    evidence = read_message(changed(role="", nonce=b"", spki=b""))
    assert (evidence.role, evidence.nonce, evidence.spki) == (None, None, None)
    user = read_message(changed(uid=0, user_data=b"", event_log=b"log"))
    assert (user.uid, user.user_data, user.event_log) == (0, b"", b"log")


@pytest.mark.parametrize(
    ("fields", "category", "message"),
    [
        ({"tee": "tdy"}, Category.UNSUPPORTED, "tee: expected one of"),
        ({"tee": ""}, Category.UNSUPPORTED, "tee: expected one of"),
        ({"tee": "SEV-SNP"}, Category.UNSUPPORTED, "tee: expected one of"),
        ({"binding": "batch"}, Category.UNSUPPORTED, "binding: expected one of"),
        ({"binding": ""}, Category.UNSUPPORTED, "binding: expected one of"),
        ({"role": "both"}, Category.UNSUPPORTED, "role: expected one of"),
        ({"role": "server\x1b[2J"}, Category.UNSUPPORTED, "role: expected one of"),
        ({"nonce": b"n" * 31}, Category.MALFORMED, "nonce: expected 32 bytes, got 31"),
        ({"spki": b"k" * 92}, Category.MALFORMED, "spki: expected 91 bytes, got 92"),
        ({"report": b"r" * (REPORT_LIMIT + 1)}, Category.SIZE_LIMIT, "report with its certificates"),
        ({"certificates": [b"c" * REPORT_LIMIT]}, Category.SIZE_LIMIT, "report with its certificates"),
        ({"certificates": [b""] * (CERTIFICATE_COUNT_LIMIT + 1)}, Category.SIZE_LIMIT, "certificates: expected"),
        ({"event_log": bytes(EVENT_LOG_LIMIT + 1)}, Category.SIZE_LIMIT, "event log: expected"),
        ({"user_data": bytes(4097)}, Category.SIZE_LIMIT, "user data: expected"),
    ],
)
def test_evidence_out_of_bounds_is_refused(fields: dict[str, object], category: Category, message: str) -> None:
    with pytest.raises(Malformed, match=message) as caught:
        read_message(changed(**fields))
    assert caught.value.category is category
    assert str(caught.value).isprintable()


def test_evidence_at_its_bounds_is_read() -> None:
    size = REPORT_LIMIT - 1184
    assert len(read_message(changed(certificates=[b"c" * size])).certificates[0]) == size
    assert len(read_message(changed(certificates=[b"c"] * CERTIFICATE_COUNT_LIMIT)).certificates) == 32
    assert read_message(changed(event_log=bytes(EVENT_LOG_LIMIT))).event_log == bytes(EVENT_LOG_LIMIT)


def test_a_refusal_is_the_agents_no() -> None:
    refusal = AttestedAnswer(refusal=Refusal(category="RATE_LIMIT", message="later"))
    with pytest.raises(EndpointError, match="the agent refused: later") as caught:
        read_answer(refusal.SerializeToString())
    assert caught.value.category is Category.RATE_LIMIT


def test_ac_111_nested_and_unknown_fields_are_bounded() -> None:
    nested = b""
    for _ in range(10_000):
        nested = b"\x0b" + nested + b"\x0c"  # groups of field 1, one within another
    with pytest.raises(Malformed, match="expected an AttestedAnswer"):
        read_answer(nested)
    flood = b"\xf8\x07\x01" * 100_000 + AttestedAnswer(evidence=GOOD).SerializeToString()
    assert read_answer(flood).report == GOOD.report


@given(st.binary(max_size=400))
def test_any_bytes_give_evidence_or_one_of_our_errors(data: bytes) -> None:
    with suppress(Malformed, EndpointError):
        read_answer(data)
