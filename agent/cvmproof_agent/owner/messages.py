"""What passes between the device owner and whoever asks it, spelled so that the owner needs no more than these lines.

    enc(x)    = u32be(len(x)) || x                                     each message in a frame of its own, one each way
    request   = enc("about") | enc("event-log") | enc("attest") enc(yes or no: event log) statement
    statement = enc("channel") enc(role) enc(nonce) enc(SPKI) enc(EKM) | enc("key") enc(role) enc(nonce) enc(SPKI)
              | enc("nonce") enc(role) enc(nonce) | enc("user") enc(u32be(uid)) enc(user data)
    answer    = enc("about") enc(tee) enc(name) | enc("event-log") log
              | enc("evidence") enc(tee) enc(report) log enc(certificate)...
              | enc("failed" or "lost") enc(category) enc(message) enc(path) enc(call) enc(errno or empty) enc(hint)
    log       = enc(yes or no: there is one) enc(its bytes)

A request names a statement and never REPORT_DATA. Any bytes are read as one of these, or refused with Malformed or
Misuse.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from cvmproof_agent.device import DeviceLost
from cvmproof_agent.statement import ChannelStatement, KeyStatement, NonceStatement, Statement, UserStatement
from cvmproof_formats.binding import USER_DATA_LIMIT, BindingKind, Role, Tee
from cvmproof_formats.errors import Category, CvmproofError, DeviceError, Malformed
from cvmproof_formats.evidence_fields import CERTIFICATE_COUNT_LIMIT, EVENT_LOG_LIMIT, REPORT_LIMIT, Evidence

_LENGTH: Final = 4  # bytes
REQUEST_LIMIT: Final = USER_DATA_LIMIT + 64  # bytes: the largest statement and what stands around it
ANSWER_LIMIT: Final = REPORT_LIMIT + EVENT_LOG_LIMIT + 4096
_PARTS: Final = CERTIFICATE_COUNT_LIMIT + 8
_UID: Final = 4  # bytes
_TEXT: Final = 1000  # characters of an error that are passed on
_NO, _YES = b"\0", b"\1"
_Enum = TypeVar("_Enum", bound=StrEnum)


class Question(StrEnum):
    """What can be asked besides evidence."""

    ABOUT = "about"
    EVENT_LOG = "event-log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attest:
    """A request for evidence."""

    statement: Statement
    event_log: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What kind of device the owner has."""

    tee: Tee
    name: str


def write_request(request: Attest | Question) -> bytes:
    """Spell a request."""
    if isinstance(request, Question):
        return _join(request.encode())
    return _join(b"attest", _YES if request.event_log else _NO, *_fields(request.statement))


def read_request(message: bytes) -> Attest | Question:
    """Read a request; raises Malformed, and Misuse for a statement of other lengths than its domain has."""
    verb, *parts = _split(message)
    if verb == b"attest" and len(parts) > 1:
        return Attest(event_log=_yes(parts[0]), statement=_read_statement(parts[1], parts[2:]))
    if parts:
        raise Malformed(f"request: expected nothing behind {verb[:16]!r}, got {len(parts)} parts")
    return _one_of(Question, verb, what="request")


def write_answer(answer: About | Evidence) -> bytes:
    """Spell an answer."""
    if isinstance(answer, About):
        return _join(b"about", answer.tee.encode(), answer.name.encode())
    log = _log(answer.event_log)
    return _join(b"evidence", answer.tee.encode(), answer.report, *log, *answer.certificates)


def write_event_log(log: bytes | None) -> bytes:
    """Spell the answer that is an event log, or that there is none."""
    return _join(b"event-log", *_log(log))


def write_failure(error: CvmproofError) -> bytes:
    """Spell why there is no answer, and where the kernel refused."""
    kind = b"lost" if isinstance(error, DeviceLost) else b"failed"
    path, call, number = "", "", ""
    if isinstance(error, DeviceError):
        path, call, number = error.path, error.call, "" if error.errno is None else str(error.errno)
    texts = (error.category, str(error), path, call, number, error.hint)
    return _join(kind, *(text[:_TEXT].encode("utf-8", "backslashreplace") for text in texts))


def read_about(message: bytes) -> About:
    """Read what kind of device there is; raises Malformed, and as DeviceError what the owner says in its place."""
    tee, name = _answer(message, b"about", 2)
    return About(tee=_one_of(Tee, tee, what="tee"), name=_text(name))


def read_evidence(message: bytes, statement: Statement) -> Evidence:
    """Read evidence that was asked to say this; raises as `read_about`."""
    tee, report, there, log, *certificates = _answer(message, b"evidence", 4, at_most=4 + CERTIFICATE_COUNT_LIMIT)
    return statement.evidence(
        _one_of(Tee, tee, what="tee"),
        report=report,
        certificates=tuple(certificates),
        event_log=_read_log(there, log),
    )


def read_event_log(message: bytes) -> bytes | None:
    """Read an event log, None where there is none; raises as `read_about`."""
    return _read_log(*_answer(message, b"event-log", 2))


def _fields(statement: Statement) -> tuple[bytes, ...]:
    kind = statement.kind.encode()
    if isinstance(statement, UserStatement):
        return kind, statement.uid.to_bytes(_UID, "big"), statement.user_data
    session = (kind, statement.role.encode(), statement.nonce)
    if isinstance(statement, NonceStatement):
        return session
    if isinstance(statement, KeyStatement):
        return *session, statement.spki
    return *session, statement.spki, statement.ekm


def _read_statement(kind: bytes, parts: Sequence[bytes]) -> Statement:
    count, read = _STATEMENTS[_one_of(BindingKind, kind, what="statement")]
    if len(parts) != count:
        raise Malformed(f"statement: expected {count} parts for {kind.decode()}, got {len(parts)}")
    return read(*parts)


def _channel(role: bytes, nonce: bytes, spki: bytes, ekm: bytes) -> Statement:
    return ChannelStatement(role=_one_of(Role, role, what="role"), nonce=nonce, spki=spki, ekm=ekm)


def _key(role: bytes, nonce: bytes, spki: bytes) -> Statement:
    return KeyStatement(role=_one_of(Role, role, what="role"), nonce=nonce, spki=spki)


def _nonce(role: bytes, nonce: bytes) -> Statement:
    return NonceStatement(role=_one_of(Role, role, what="role"), nonce=nonce)


def _user(uid: bytes, user_data: bytes) -> Statement:
    if len(uid) != _UID:
        raise Malformed(f"uid: expected {_UID} bytes, got {len(uid)}")
    return UserStatement(uid=int.from_bytes(uid, "big"), user_data=user_data)


_STATEMENTS: Final[dict[BindingKind, tuple[int, Callable[..., Statement]]]] = {
    BindingKind.CHANNEL: (4, _channel),
    BindingKind.KEY: (3, _key),
    BindingKind.NONCE: (2, _nonce),
    BindingKind.USER: (2, _user),
}


def _answer(message: bytes, kind: bytes, count: int, *, at_most: int | None = None) -> list[bytes]:
    found, *parts = _split(message)
    if found in (b"failed", b"lost"):
        raise _failure(found, parts)
    if found != kind or not count <= len(parts) <= (at_most or count):
        raise Malformed(f"answer: expected {kind.decode()}, got {len(parts)} parts of {found[:16]!r}")
    return parts


def _failure(kind: bytes, parts: Sequence[bytes]) -> CvmproofError:
    if len(parts) != 6:  # noqa: PLR2004 -- as the table at the head of this module says
        raise Malformed(f"answer: expected 6 parts of {kind.decode()}, got {len(parts)}")
    category, message, path, call, number, hint = map(_text, parts)
    if number and not (number.isascii() and number.isdecimal()):
        raise Malformed("answer: expected a number for errno")
    error = DeviceLost if kind == b"lost" else DeviceError
    return error(
        message,
        path=path,
        call=call,
        errno=int(number) if number else None,
        category=_one_of(Category, category.encode(), what="category"),
        hint=hint,
    )


def _log(log: bytes | None) -> tuple[bytes, bytes]:
    return (_NO, b"") if log is None else (_YES, log)


def _read_log(there: bytes, log: bytes) -> bytes | None:
    if not _yes(there):
        if log:
            raise Malformed("event log: expected no bytes where there is none")
        return None
    return log


def _yes(part: bytes) -> bool:
    if part not in (_NO, _YES):
        raise Malformed("expected yes or no as one byte")
    return part == _YES


def _one_of(kind: type[_Enum], part: bytes, *, what: str) -> _Enum:
    for known in kind:
        if part == known.encode():
            return known
    raise Malformed(f"{what}: expected one of {', '.join(kind)}, got {part[:16]!r}")


def _text(part: bytes) -> str:
    try:
        return part.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("expected UTF-8") from error


def _join(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(_LENGTH, "big") + part for part in parts)


def _split(message: bytes) -> list[bytes]:
    parts: list[bytes] = []
    at = 0
    while at < len(message):
        start = at + _LENGTH
        at = start + int.from_bytes(message[at:start], "big")
        if start > len(message) or at > len(message) or len(parts) == _PARTS:
            raise Malformed(f"expected at most {_PARTS} parts that end where the message of {len(message)} bytes does")
        parts.append(message[start:at])
    if not parts:
        raise Malformed("expected a message, got an empty one")
    return parts
