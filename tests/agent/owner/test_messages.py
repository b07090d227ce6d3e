"""What passes between owner and front: every message comes back as it was, and any bytes are read or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.agent.owner.owning import CHANNEL, EKM, NONCE, ONLY_A_NONCE, SPKI

from cvmproof_agent.device import DeviceLost
from cvmproof_agent.owner.messages import (
    ANSWER_LIMIT,
    REQUEST_LIMIT,
    About,
    Attest,
    Question,
    read_about,
    read_event_log,
    read_evidence,
    read_request,
    write_answer,
    write_event_log,
    write_failure,
    write_request,
)
from cvmproof_agent.statement import KeyStatement, Statement, UserStatement
from cvmproof_formats.binding import Role, Tee
from cvmproof_formats.errors import Category, CvmproofError, DeviceError, Malformed, Misuse
from cvmproof_formats.evidence_fields import EVENT_LOG_LIMIT, REPORT_LIMIT, Evidence

EVERY: tuple[Statement, ...] = (
    CHANNEL,
    KeyStatement(role=Role.CLIENT, nonce=NONCE, spki=SPKI),
    ONLY_A_NONCE,
    UserStatement(uid=0xFFFFFFFF, user_data=bytes(4096)),
    UserStatement(uid=0, user_data=b""),
)


def enc(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


@pytest.mark.parametrize("event_log", [False, True])
@pytest.mark.parametrize("statement", EVERY, ids=lambda statement: statement.kind)
def test_a_request_for_evidence_comes_back_as_it_was(statement: Statement, event_log: bool) -> None:
    request = Attest(statement=statement, event_log=event_log)
    spelled = write_request(request)
    assert len(spelled) <= REQUEST_LIMIT
    assert read_request(spelled) == request


@pytest.mark.parametrize("question", list(Question))
def test_a_question_comes_back_as_it_was(question: Question) -> None:
    assert read_request(write_request(question)) is question


def test_a_request_is_spelled_as_the_table_says() -> None:
    spelled = write_request(Attest(statement=CHANNEL, event_log=True))
    assert spelled == enc(b"attest", b"\1", b"channel", b"server", NONCE, SPKI, EKM)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\0\0\0",
        enc(b"sign", bytes(64)),
        enc(b"attest", b"\0", bytes(64)),
        enc(b"attest", b"\0", b"raw", bytes(64)),
        enc(b"attest", b"\0", b"batch", b"server", NONCE),
        enc(b"attest", b"\0", b"cvmproof/v1/channel", b"server", NONCE, SPKI, EKM),
        enc(b"attest", b"\0", b"channel", b"server", NONCE, SPKI),
        enc(b"attest", b"\0", b"key", b"server", NONCE, SPKI, EKM),
        enc(b"attest", b"\0", b"nonce", b"guest", NONCE),
        enc(b"attest", b"\2", b"nonce", b"server", NONCE),
        enc(b"attest", b"", b"nonce", b"server", NONCE),
        enc(b"attest", b"\0", b"user", b"\0\0\0", b""),
        enc(b"attest", b"\0", b"nonce", b"server", NONCE) + b"\0",
        enc(b"attest", b"\0", b"nonce", b"server", NONCE)[:-1],
        enc(b"about", b""),
        enc(*[b"about"] * 41),
    ],
)
def test_no_request_is_for_other_bytes_or_another_domain(message: bytes) -> None:
    with pytest.raises(Malformed):
        read_request(message)


@pytest.mark.parametrize(
    ("parts", "match"),
    [
        ((b"nonce", b"server", bytes(64)), "nonce: expected exactly 32"),
        ((b"nonce", b"server", NONCE[1:]), "nonce: expected exactly 32"),
        ((b"key", b"server", NONCE, SPKI + b"\0"), "SPKI: expected exactly 91"),
        ((b"channel", b"server", NONCE, SPKI, EKM + EKM), "EKM: expected exactly 32"),
        ((b"user", bytes(4), bytes(4097)), "at most 4096"),
    ],
)
def test_no_request_is_of_other_lengths(parts: tuple[bytes, ...], match: str) -> None:
    with pytest.raises(Misuse, match=match):
        read_request(enc(b"attest", b"\0", *parts))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_request_or_refused(data: bytes) -> None:
    try:
        read_request(data)
    except (Malformed, Misuse):
        return


@given(st.lists(st.one_of(st.sampled_from([b"failed", b"evidence", b"event-log", b"\1", b"tdx"]), st.binary())))
def test_any_bytes_are_an_answer_or_refused(parts: list[bytes]) -> None:
    message = enc(*parts)
    for read in (read_about, read_event_log, lambda data: read_evidence(data, CHANNEL)):
        try:
            read(message)
        except (Malformed, DeviceError):
            continue


@pytest.mark.parametrize("log", [None, b"", b"a log"])
def test_evidence_comes_back_with_the_labels_of_what_was_asked(log: bytes | None) -> None:
    evidence = CHANNEL.evidence(Tee.TDX, report=b"quote", certificates=(b"a", b"", b"c"), event_log=log)
    assert read_evidence(write_answer(evidence), CHANNEL) == evidence
    assert read_event_log(write_event_log(log)) == log


def test_the_largest_evidence_fits() -> None:
    certificates = (bytes(REPORT_LIMIT // 32),) * 32
    largest = Evidence(tee=Tee.TDX, report=b"", certificates=certificates, event_log=bytes(EVENT_LOG_LIMIT))
    assert len(write_answer(largest)) <= ANSWER_LIMIT


def test_what_there_is_comes_back_as_it_was() -> None:
    about = About(tee=Tee.SEV_SNP, name="configfs-tsm")
    assert read_about(write_answer(about)) == about


def test_an_error_says_on_the_other_side_where_the_kernel_refused() -> None:
    sent = DeviceError("busy", path="/dev/x", call="ioctl", errno=16, category=Category.RATE_LIMIT, hint="ask the host")
    with pytest.raises(DeviceError, match=r"^busy$") as caught:
        read_about(write_failure(sent))
    got = caught.value
    assert (got.path, got.call, got.errno, got.category, got.hint) == (
        "/dev/x",
        "ioctl",
        16,
        Category.RATE_LIMIT,
        "ask the host",
    )
    assert not isinstance(got, DeviceLost)


def test_a_lost_device_is_lost_on_the_other_side_too() -> None:
    with pytest.raises(DeviceLost, match="key wiped"):
        read_about(write_failure(DeviceLost("key wiped", errno=25)))


def test_an_error_of_any_length_and_any_letters_is_passed_on_cut() -> None:
    with pytest.raises(DeviceError, match=r"^\\udc80x{999}$"):
        read_about(write_failure(CvmproofError("\udc80" + "x" * 5000)))


@pytest.mark.parametrize(
    "message",
    [
        enc(b"failed", b"UNAVAILABLE", b"m", b"", b"", b""),
        enc(b"failed", b"FINE", b"m", b"", b"", b"", b""),
        enc(b"failed", b"UNAVAILABLE", b"\xff", b"", b"", b"", b""),
        enc(b"failed", b"UNAVAILABLE", b"m", b"", b"", b"-1", b""),
        enc(b"about", b"sgx", b"name"),
        enc(b"about", b"tdx"),
        enc(b"event-log", b"\0", b"but there is one"),
    ],
)
def test_an_answer_of_another_form_is_refused(message: bytes) -> None:
    for read in (read_about, read_event_log):
        with pytest.raises(Malformed):
            read(message)
