"""JSON that Intel signs: the exact bytes of one object, and strict typed reading of what stands in it.

A response of Intel's provisioning service is {"<name>":<object>,"signature":"<128 hexadecimal digits>"} (PCS API 4).
The signature, ECDSA P-256 with SHA-256 as r || s, is over the object's bytes as sent. So those bytes are cut out, never
written anew, and what is read later is read from them: verify first, then read.

Objects become tuples of pairs and integers become their digits (bytes), so that nothing is lost on the way: names that
stand twice stay visible, and neither `true` nor 1.0 can pass for 1.
"""

import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple, TypeVar, cast

from cvmproof_formats.encoding import read_hex, require_size
from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.tdx.authority import MAXIMUM_RESPONSE

SIGNATURE_SIZE: Final = 64  # bytes: r || s, big-endian
_MAXIMUM_TEXT = 64  # characters of a text taken as it is
_MAXIMUM_DIGITS = 10
_SHOWN = 40  # characters of a foreign text in a message

_SPACE = rb"[ \t\n\r]*"  # RFC 8259 section 2
_TAIL = rb"%(s)s,%(s)s\"signature\"%(s)s:%(s)s\"([0-9a-fA-F]{128})\"%(s)s\}%(s)s" % {b"s": _SPACE}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # whoever counts seconds from then on can't read an earlier time
# One spelling of each moment: RFC 3339 in UTC, whole seconds, as every file of Intel's has it.
_MOMENT = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})Z")

T = TypeVar("T")
Pairs = tuple[tuple[str, object], ...]
Members = dict[str, object]


class Signed(NamedTuple):
    """An object as it was signed, and the signature over exactly these bytes; what is remembered is looked up by it."""

    body: bytes
    signature: bytes
    """r || s, 64 bytes."""

    def __repr__(self) -> str:
        return f"Signed(body of {len(self.body)} bytes, signature={self.signature.hex()})"


def read_signed(data: bytes, name: str) -> Signed:
    """Cut {"<name>":<body>,"signature":"<hexadecimal>"} apart; the body is looked at only when it is read.

    White space around the parts is allowed, another order or other names are not: only the body is signed, and there
    is one way to find it. Raises Malformed, with category SIZE_LIMIT above 256 KiB.
    """
    require_size(data, what=name, limit=MAXIMUM_RESPONSE)
    found = _envelope(name).fullmatch(data)
    if found is None:
        raise Malformed(
            f'{name}: expected {{"{name}":{{...}},"signature":"<128 hexadecimal digits>"}}, got another form'
        )
    return Signed(body=found[1], signature=bytes.fromhex(found[2].decode("ascii")))


def build_signed(name: str, signed: Signed) -> bytes:
    """Write a response as Intel's provisioning service sends it."""
    return b'{"%s":%s,"signature":"%s"}' % (name.encode("ascii"), signed.body, signed.signature.hex().encode("ascii"))


def read_body(body: bytes, what: str) -> object:
    """Read one JSON object from the bytes that were signed: its value for `members`.

    Raises Malformed, with category SIZE_LIMIT above 256 KiB.
    """
    require_size(body, what=what, limit=MAXIMUM_RESPONSE)
    try:
        value: object = _DECODER.decode(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Malformed(f"{what}: expected strict JSON: {str(error) or type(error).__name__}") from error
    return value


def read_document(
    body: bytes, name: str, *, kind: str, version: int, required: frozenset[str], optional: frozenset[str] = frozenset()
) -> Members:
    """Read the members of a signed object; its id and version are looked at first, as they say what else is there.

    Raises Malformed as `read_body` and `members` do; with category UNSUPPORTED for another version,
    COLLATERAL_MISMATCH for another id.
    """
    value = read_body(body, name)
    claimed = dict(cast("Pairs", value)) if type(value) is tuple else {}
    if "version" in claimed:
        require_number(claimed["version"], f"{name}, version", version)
    if "id" in claimed and (found := text(claimed["id"], f"{name}, id")) != kind:
        raise Malformed(f"{name}, id: expected {kind!r}, got {found!a}", category=Category.COLLATERAL_MISMATCH)
    return members(value, name, required, optional)


def build_body(value: object) -> bytes:
    """Write a JSON value as compactly as Intel does; Intel's own has ASCII only."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def members(value: object, what: str, required: frozenset[str], optional: frozenset[str] = frozenset()) -> Members:
    """Take an object apart: every required name, the optional ones that are there, each once.

    Raises Malformed; with category UNSUPPORTED for another name, because it may change what the others mean, as
    `tdxModuleIdentities` did when it came into version 3.
    """
    if not isinstance(value, tuple):  # what the decoder makes of an object, and of nothing else
        raise _unexpected(value, what, "an object")
    found: Members = dict(value)
    if len(found) != len(value):
        raise Malformed(f"{what}: expected each name once, got one twice")
    _require_names(tuple(found), what, required, optional)
    return found


def array(value: object, what: str, limit: int) -> list[object]:
    """Take a list of 1 to `limit` values; raises Malformed, with category SIZE_LIMIT where there are more."""
    if not isinstance(value, list):
        raise _unexpected(value, what, "a list")
    if not 1 <= len(value) <= limit:
        category = Category.SIZE_LIMIT if value else None
        raise Malformed(f"{what}: expected 1 to {limit} entries, got {len(value)}", category=category)
    return value


def integer(value: object, what: str, highest: int) -> int:
    """Take an integer of 0 to `highest`, written without sign, fraction or exponent; raises Malformed."""
    if type(value) is not bytes or len(value) > _MAXIMUM_DIGITS or not value.isdigit():
        raise _unexpected(value, what, f"an integer of 0 to {highest}")
    number = int(value)
    if number > highest:
        raise Malformed(f"{what}: expected 0 to {highest}, got {number}")
    return number


def text(value: object, what: str) -> str:
    """Take 1 to 64 printable ASCII characters; raises Malformed."""
    if type(value) is not str:
        raise _unexpected(value, what, "a text")
    if not 0 < len(value) <= _MAXIMUM_TEXT or not value.isascii() or not value.isprintable():
        raise Malformed(f"{what}: expected 1 to {_MAXIMUM_TEXT} printable ASCII characters, got {value[:_SHOWN]!a}")
    return value


def octets(value: object, what: str, size: int) -> bytes:
    """Take that many bytes in hexadecimal, of either case; raises Malformed."""
    if type(value) is not str:
        raise _unexpected(value, what, "hexadecimal digits")
    return read_hex(value, what=what, size=size)


def moment(value: object, what: str) -> datetime:
    """Take a time like "2026-01-31T12:00:00Z", always in UTC; raises Malformed."""
    if type(value) is not str:
        raise _unexpected(value, what, "a time")
    return _moment(value, what)


def require_number(value: object, what: str, expected: int) -> None:
    """Require one integer; raises Malformed, with category UNSUPPORTED for another one."""
    if (found := integer(value, what, 0xFFFF)) != expected:
        raise Malformed(f"{what}: expected {expected}, got {found}", category=Category.UNSUPPORTED)


def validity(found: Members, what: str) -> tuple[datetime, datetime]:
    """Take issueDate and nextUpdate, the later one last; raises Malformed."""
    issue_date = moment(found["issueDate"], f"{what}, issueDate")
    next_update = moment(found["nextUpdate"], f"{what}, nextUpdate")
    if issue_date >= next_update:
        raise Malformed(f"{what}: expected nextUpdate after issueDate, got {next_update} and {issue_date}")
    return issue_date, next_update


def require_distinct(found: Iterable[T], what: str, key: Callable[[T], object]) -> None:
    """Refuse two entries with one key, between which the order in the file would have to decide; raises Malformed."""
    keys = [key(entry) for entry in found]
    if len(set(keys)) != len(keys):
        raise Malformed(f"{what}: expected entries that differ, got two of the same")


def write_moment(value: datetime) -> str:
    """Write an aware time in UTC."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(len("2026-01-31T12:00:00Z"), "0")


def write_hex(value: bytes) -> str:
    """Write hexadecimal in upper case, as Intel does everywhere but in most FMSPCs."""
    return value.hex().upper()


@lru_cache(maxsize=256)
def _require_names(found: tuple[str, ...], what: str, required: frozenset[str], optional: frozenset[str]) -> None:
    """Refuse names that are missing or foreign; the objects of one kind all have the same, mostly in one order."""
    names = frozenset(found)
    if not required <= names:
        raise Malformed(f"{what}: expected {', '.join(sorted(required - names))}, got none")
    if foreign := names - required - optional:
        raise Malformed(f"{what}: {min(foreign)[:_SHOWN]!a} is not known here", category=Category.UNSUPPORTED)


@lru_cache(maxsize=8)
def _envelope(name: str) -> re.Pattern[bytes]:
    # The body reaches to the last ,"signature":...} and is read as one object later: so no other cut would be read.
    head = rb"%(s)s\{%(s)s\"%(n)s\"%(s)s:%(s)s" % {b"s": _SPACE, b"n": re.escape(name.encode("ascii"))}
    return re.compile(head + rb"(\{.*\})" + _TAIL, re.DOTALL)


@lru_cache(maxsize=256)
def _moment(value: str, what: str) -> datetime:
    found = _MOMENT.fullmatch(value)
    if found is None:
        raise Malformed(f'{what}: expected a time like "2026-01-31T12:00:00Z", got {value[:_SHOWN]!a}')
    try:
        year, month, day, hour, minute, second = map(int, found.groups())
        found_at = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise Malformed(f"{what}: {value} does not exist: {error}") from error
    if found_at < _EPOCH:
        raise Malformed(f"{what}: expected a time from 1970 on, got {value}")
    return found_at


def _unexpected(value: object, what: str, expected: str) -> Malformed:
    kinds = {
        tuple: "an object",
        list: "a list",
        str: "a text",
        bytes: "an integer",
        float: "a fraction",
        bool: "a truth",
    }
    shown = value[:20].decode("ascii") if type(value) is bytes else kinds.get(type(value), "null")
    return Malformed(f"{what}: expected {expected}, got {shown}")


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=tuple, parse_int=str.encode, parse_constant=_refuse_constant)
