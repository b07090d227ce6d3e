"""What the verifier remembers of a CVM between runs: the highest policy serial, the last policy, the machine.

Kept in a state directory, never in a bundle. A mark's name is a hash over its kind, the schema version, the trust set,
the API, the domain and the CVM, so that no text of theirs reaches a path and nothing is shared between trust sets. A
mark that can't be read is an error, never "nothing known yet": it would let yesterday's policy in. Runs at another time
than now (`--at`) are to leave marks alone, which is up to the caller.

A mark that can't be read or kept is a CollateralError (undecided): neither the caller's nor the policy's fault, and no
verdict is possible without what is missing. What contradicts a mark is Misuse: the policy or the registration is wrong.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, Self, TypeVar

from cvmproof.errors import Category, CollateralError, Malformed, Misuse
from cvmproof.spelling import escape
from cvmproof.state import locked_state, read_state, remove_state, replace_state
from cvmproof_formats.encoding import read_hex, read_json

SCHEMA: Final = "cvmproof.mark/1"
MARK_LIMIT: Final = 16 * 1024  # bytes of a file
DIGEST_SIZE: Final = 32  # bytes, SHA-256
CHIP_ID_SIZE, REPORT_ID_SIZE = 64, 32  # bytes, AMD 56860, ATTESTATION_REPORT
PPID_SIZE: Final = 16  # bytes, Intel PCK certificate profile 1.5
MAXIMUM_SERIAL: Final = 2**63 - 1
_LOCK_NAME: Final = 2  # hexadecimal digits: at most 256 locks, however many CVMs

_SERIAL, _POLICY, _IDENTITY = "policy-serial", "policy-digest", "identity"
_Fields = Mapping[str, str | int]
_Mark = TypeVar("_Mark")


@dataclass(frozen=True, slots=True, kw_only=True)
class CvmKey:
    """Which CVM a mark is about: the trust set's name, the API's base URL, the domain and the CVM, any text each.

    Equal means equal character by character: give the URL in one spelling.
    """

    trust: str
    api: str
    domain: str
    cvm: str

    def digest(self, kind: str) -> str:
        """Name a mark of this CVM: SHA-256 in hexadecimal, each part with its length before it."""
        parts = [text.encode("utf-8", "surrogatepass") for text in (SCHEMA, kind, *self._parts())]
        return sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).hexdigest()

    def _parts(self) -> tuple[str, str, str, str]:
        return self.trust, self.api, self.domain, self.cvm


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which machine and which launch: CHIP_ID, 64 bytes, all zero where it is masked, and REPORT_ID, 32 bytes.

    Raises Misuse (IDENTITY) for other lengths, and for a REPORT_ID of zeros, which names no launch.
    """

    chip_id: bytes
    report_id: bytes

    def __post_init__(self) -> None:
        _expect_size(self.chip_id, CHIP_ID_SIZE, "CHIP_ID", Category.IDENTITY)
        _expect_size(self.report_id, REPORT_ID_SIZE, "REPORT_ID", Category.IDENTITY)
        if not any(self.report_id):
            raise Misuse("REPORT_ID: expected one that names a launch, got zeros", category=Category.IDENTITY)

    def __str__(self) -> str:
        return f"chip {self.chip_id[:8].hex()}…, launch {self.report_id[:8].hex()}…"


@dataclass(frozen=True, slots=True, kw_only=True)
class TdxIdentity:
    """Which processor: PPID, 16 bytes; a quote says nothing of which launch it is. Raises Misuse (IDENTITY)."""

    ppid: bytes

    def __post_init__(self) -> None:
        _expect_size(self.ppid, PPID_SIZE, "PPID", Category.IDENTITY)

    def __str__(self) -> str:
        return f"processor {self.ppid[:8].hex()}…"


AnyIdentity = Identity | TdxIdentity


class AnotherMachine(Misuse):
    """Under this name another machine is registered; category IDENTITY."""

    default_category = Category.IDENTITY


@dataclass(frozen=True, slots=True, kw_only=True)
class _Serial:
    serial: int
    digest: bytes
    key_id: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """The marks in one folder; every method raises CollateralError for a damaged mark or a folder it can't use."""

    folder: Path

    @classmethod
    def default(cls) -> Self:
        """Take the user's state folder."""
        import platformdirs  # noqa: PLC0415 -- only for this name, and not where a folder is given

        return cls(folder=platformdirs.user_state_path("cvmproof") / "marks")

    def require_serial(self, key: CvmKey, serial: int, digest: bytes, key_id: bytes) -> None:
        """Accept a signed policy's serial, and remember it if it is higher than any before.

        `digest` is SHA-256 of the policy, `key_id` whose signature it was; another key continues the same serials.
        Raises Misuse (ROLLBACK) for a lower serial, and for the same serial over another policy.
        """
        _expect_size(digest, DIGEST_SIZE, "policy digest")
        _expect_size(key_id, DIGEST_SIZE, "key id")
        if type(serial) is not int or not 0 <= serial <= MAXIMUM_SERIAL:
            raise Misuse(f"serial: expected an integer from 0 to {MAXIMUM_SERIAL}, got {serial!r:.60}")
        new = _Serial(serial=serial, digest=digest, key_id=key_id)

        def settle(known: _Serial | None) -> _Serial | None:
            return None if known is not None and _continues(known, new, key) else new

        self._settle(key, _SERIAL, _read_serial, settle, _write_serial)

    def policy_digest(self, key: CvmKey) -> bytes | None:
        """Give the SHA-256 of the unsigned policy that was remembered last; None if there is none."""
        return self._read(key, _POLICY, _read_digest)

    def note_policy(self, key: CvmKey, digest: bytes) -> bytes | None:
        """Remember the SHA-256 of an unsigned policy, and give the one seen last time; None the first time."""
        _expect_size(digest, DIGEST_SIZE, "policy digest")
        return self._settle(
            key,
            _POLICY,
            _read_digest,
            lambda known: None if known == digest else digest,
            lambda new: {"digest": new.hex()},
        )

    def identity(self, key: CvmKey) -> AnyIdentity | None:
        """Give the machine registered under this name; None if there is none."""
        return self._read(key, _IDENTITY, _read_identity)

    def register(self, key: CvmKey, identity: AnyIdentity) -> None:
        """Register a machine under a name, once.

        Raises AnotherMachine if another one is registered; of two at once, one is.
        """

        def settle(known: AnyIdentity | None) -> AnyIdentity | None:
            if known is not None and known != identity:
                message = f"CVM {escape(key.cvm)}: expected the machine registered under this name"
                hint = "if it was launched anew on purpose, forget the registration and register it again"
                raise AnotherMachine(f"{message} ({known}), got {identity}", hint=hint)
            return identity if known is None else None

        self._settle(key, _IDENTITY, _read_identity, settle, _write_identity)

    def forget(self, key: CvmKey) -> None:
        """Forget the machine registered under a name, damaged or not; policy marks stay."""
        with self._locked(key, _IDENTITY):
            remove_state(self.path(key, _IDENTITY))

    def path(self, key: CvmKey, kind: str) -> Path:
        """Where a mark lies."""
        return self.folder / f"{key.digest(kind)}.json"

    def _settle(
        self,
        key: CvmKey,
        kind: str,
        reader: Callable[[_Fields], _Mark],
        settle: Callable[[_Mark | None], _Mark | None],
        writer: Callable[[_Mark], _Fields],
    ) -> _Mark | None:
        """Give the mark as it was, after putting what `settle` makes of it in its place; None from it changes nothing.

        The first look takes no lock and writes nothing, which is all that most runs need: a mark is replaced whole.
        """
        known = self._read(key, kind, reader)
        if settle(known) is None:
            return known
        with self._locked(key, kind):
            known = self._read(key, kind, reader)
            new = settle(known)
            if new is not None:
                replace_state(self.path(key, kind), _render(key, kind, writer(new)))
        return known

    def _read(self, key: CvmKey, kind: str, reader: Callable[[_Fields], _Mark]) -> _Mark | None:
        path = self.path(key, kind)
        data = read_state(path, MARK_LIMIT)
        if data is None:
            return None
        try:
            return reader(_parse(data, key, kind))
        except (Malformed, Misuse, ValueError, KeyError) as error:
            message = f"{path}: expected what the verifier remembers of {escape(key.cvm)} ({kind}), got something else"
            hint = f"find out what changed it; rm {path} starts anew, and then takes the next for the first"
            raise CollateralError(message, category=Category.MALFORMED, hint=hint) from error

    def _locked(self, key: CvmKey, kind: str) -> AbstractContextManager[None]:
        return locked_state(self.folder / f"{key.digest(kind)[:_LOCK_NAME]}.lock")


def _continues(known: _Serial, new: _Serial, key: CvmKey) -> bool:
    """Tell whether a serial is the known one; False for a higher one, Misuse for one that goes back."""
    if new.serial > known.serial:
        return False
    name = escape(key.cvm)
    if new.serial < known.serial:
        message = f"signed policy for {name}: expected serial {known.serial} or higher, got {new.serial}"
        hint = "an older policy was served; sign the one that holds with a higher serial"
        raise Misuse(message, category=Category.ROLLBACK, hint=hint)
    if new.digest != known.digest:
        message = f"signed policy for {name}: expected the policy seen with serial {new.serial} before, SHA-256"
        hint = "two policies were signed with one serial; sign the one that holds with a higher one"
        raise Misuse(f"{message} {known.digest.hex()}, got {new.digest.hex()}", category=Category.ROLLBACK, hint=hint)
    return True


def _render(key: CvmKey, kind: str, fields: _Fields) -> bytes:
    """Write a mark: what it says, and a digest over that against damage."""
    # Trust set and id are for people; the name of the file, over every part of the key, is what counts.
    mark = {
        "schema": SCHEMA,
        "kind": kind,
        "name": key.digest(kind),
        "trust": escape(key.trust),
        "cvm": escape(key.cvm),
    }
    body = json.dumps(mark | dict(fields), indent=1)
    return f'{{"mark": {body},\n"sha256": "{sha256(body.encode()).hexdigest()}"}}\n'.encode()


def _parse(data: bytes, key: CvmKey, kind: str) -> _Fields:
    """Read a mark back; raises Malformed or ValueError for one that was not written exactly so, for this key."""
    document = read_json(data, what="mark", limit=MARK_LIMIT)
    mark = document.get("mark") if isinstance(document, dict) else None
    if not isinstance(mark, dict):
        raise Malformed("mark: expected an object")
    own = {"schema", "kind", "name", "trust", "cvm"}
    fields: dict[str, str | int] = {name: value for name, value in mark.items() if name not in own}
    if data != _render(key, kind, fields):
        raise Malformed("mark: expected the bytes that were written")
    return fields


def _read_serial(fields: _Fields) -> _Serial:
    serial = fields["serial"]
    if type(serial) is not int:
        raise Malformed("serial: expected an integer")
    return _Serial(
        serial=serial, digest=_hex(fields, "digest", DIGEST_SIZE), key_id=_hex(fields, "key_id", DIGEST_SIZE)
    )


def _write_serial(mark: _Serial) -> _Fields:
    return {"serial": mark.serial, "digest": mark.digest.hex(), "key_id": mark.key_id.hex()}


def _read_digest(fields: _Fields) -> bytes:
    return _hex(fields, "digest", DIGEST_SIZE)


def _read_identity(fields: _Fields) -> AnyIdentity:
    if "ppid" in fields:
        return TdxIdentity(ppid=_hex(fields, "ppid", PPID_SIZE))
    return Identity(chip_id=_hex(fields, "chip_id", CHIP_ID_SIZE), report_id=_hex(fields, "report_id", REPORT_ID_SIZE))


def _write_identity(identity: AnyIdentity) -> _Fields:
    if isinstance(identity, TdxIdentity):
        return {"ppid": identity.ppid.hex()}
    return {"chip_id": identity.chip_id.hex(), "report_id": identity.report_id.hex()}


def _hex(fields: _Fields, name: str, size: int) -> bytes:
    return read_hex(str(fields[name]), what=name, size=size)


def _expect_size(value: bytes, size: int, what: str, category: Category | None = None) -> None:
    if not isinstance(value, bytes) or len(value) != size:
        got = f"{len(value)} bytes" if isinstance(value, bytes) else type(value).__name__
        raise Misuse(f"{what}: expected {size} bytes, got {got}", category=category)
