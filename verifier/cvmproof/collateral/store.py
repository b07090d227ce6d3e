"""The collateral store: one folder, which is also the form of an offline bundle.

    <folder>/<trust set>/amd/<product>/<vcek|vlek>/cert_chain.pem
    <folder>/<trust set>/amd/<product>/<vcek|vlek>/crl.der
    <folder>/<trust set>/amd/<product>/crl.der                       a list brought by hand, of unknown kind
    <folder>/<trust set>/amd/<product>/vcek/<hwid>-<tcb>.der
    <folder>/*                                                       loose files, which count by what they contain

Nothing enters unverified (`admission`), and nothing that lies here is believed: `load` gives out bytes for the
appraisal to verify, and a fetch replaces what is no longer good. A trust set is a folder of its own, so simulated and
genuine objects never mix.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Self

from cvmproof.collateral.admission import Chain, admit_chain, admit_crl, admit_vcek
from cvmproof.collateral.collateral import Collateral, Crl
from cvmproof.collateral.disk import FileContent, locked, read_bounded, replace_file
from cvmproof.collateral.keys import ChainKey, CrlKey, VcekKey, Wanted, key_at
from cvmproof.collateral.loose import load_loose
from cvmproof.trust import TrustRoots
from cvmproof_formats.errors import Category, CollateralError, Malformed, Misuse
from cvmproof_formats.pem import read_pem
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.x509 import Certificate, read_crl

if TYPE_CHECKING:
    from cvmproof.collateral.bundle import Imported

# AMD issues its lists for a year; a list once a day keeps a revocation from staying unseen that long.
CRL_REFRESH = timedelta(hours=24)
# How long the service's "no such certificate" is taken for an answer.
ABSENT_FOR = timedelta(minutes=5)
MAXIMUM_LISTED = 10_000  # VCEKs that `show` looks at, per product line


class State(StrEnum):
    """What a stored object is worth: `bad` is one that would not be admitted today."""

    FRESH = "fresh"
    STALE = "stale"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """One object of the store: its name, what it is worth at the time asked about, and why not if it is bad."""

    key: Wanted
    state: State
    size: int
    stored: datetime
    valid_until: datetime | None
    why: str = ""

    def is_due(self, now: datetime) -> bool:
        """Tell whether a fetch should ask for it again: it is not fresh, or a list of more than a day ago."""
        age = now - self.stored
        overdue = isinstance(self.key, CrlKey) and not timedelta(0) <= age < CRL_REFRESH
        return self.state is not State.FRESH or overdue


@dataclass(frozen=True, slots=True, kw_only=True)
class CollateralStore:
    """A folder of collateral for one trust set; reading it changes nothing and needs no lock."""

    folder: Path
    trust: TrustRoots

    @classmethod
    def default(cls, trust: TrustRoots) -> Self:
        """Open the store in the user's cache folder."""
        import platformdirs  # noqa: PLC0415 -- only for this name, and not where a folder is given

        return cls(folder=platformdirs.user_cache_path("cvmproof") / "collateral", trust=trust)

    def load(self, wanted: Iterable[Wanted], now: datetime) -> Collateral:
        """Read what the store has of these objects, as it lies there; lists that are current at `now` come first.

        Bad files are given out too, cut to their limit: the appraisal verifies what it uses, and something present but
        bad is not absent. Raises CollateralError only where the folder itself is out of bounds (`loose_files`).
        """
        expect_aware(now)
        keys = _with_imported_lists(wanted)
        found = Collateral().merged(*(self._read(key) for key in keys), load_loose(self.folder, keys))
        return Collateral(
            certificates=found.certificates, crls=tuple(sorted(found.crls, key=lambda crl: not _is_current(crl, now)))
        )

    def look(self, key: Wanted, now: datetime) -> StoredObject | None:
        """Verify what is stored under a key, at that time; None if there is nothing."""
        expect_aware(now)
        content = self._content(key)
        if content is None:
            return None
        until, why = None, ""
        try:
            until = self._admit(key, content.data, now)
            state = State.FRESH if now <= until else State.STALE
        except CollateralError as error:
            state, why = State.BAD, str(error)
        return StoredObject(
            key=key, state=state, size=len(content.data), stored=content.modified, valid_until=until, why=why
        )

    def show(self, now: datetime) -> tuple[StoredObject, ...]:
        """Look at everything stored for this trust set, in the order of the paths."""
        return tuple(found for key in self.keys() if (found := self.look(key, now)) is not None)

    def put(self, key: Wanted, data: bytes, now: datetime) -> None:
        """Verify an object and let it take its place: PEM for a chain (intermediate first), DER for the others.

        Raises CollateralError and changes nothing for an object that is not what the key names (MALFORMED, CHAIN,
        SIGNATURE, COLLATERAL_MISMATCH), is not valid at `now` (EXPIRED) or older than what is stored (ROLLBACK);
        UNAVAILABLE where the chain above it is not in the store.
        """
        expect_aware(now)
        until = self._admit(key, data, now)
        if now > until:
            message = f"{key}: expected one valid at {now:%Y-%m-%d}, got one that ended {until:%Y-%m-%d}"
            raise CollateralError(message, category=Category.EXPIRED)
        self._expect_no_rollback(key, data)
        replace_file(self.path(key), data, now)
        self._absent_marker(key).unlink(missing_ok=True)

    def import_(self, source: Path | Iterable[Path], now: datetime) -> "Imported":
        """Take over certificates, lists and folders of them; what was refused comes back with the reason."""
        from cvmproof.collateral.bundle import import_bundle  # noqa: PLC0415 -- every verification loads this module

        return import_bundle(self, (source,) if isinstance(source, Path) else tuple(source), now)

    def chain(self, key: ChainKey) -> Chain:
        """Read and verify a stored chain, whatever its dates.

        Raises CollateralError as `admit_chain` does; UNAVAILABLE if there is none.
        """
        content = self._content(key)
        if content is None:
            raise CollateralError(f"{key}: not in the store", hint="cvmproof collateral fetch, or import")
        return admit_chain(key, content.data, self.trust)

    def expect_chain(self, key: Wanted) -> None:
        """Raise CollateralError if what would be stored under a key could not be verified."""
        if isinstance(key, CrlKey):
            self.ark(key)
        elif isinstance(key, VcekKey):
            self.chain(key.chain)

    def keys(self) -> tuple[Wanted, ...]:
        """Name what lies in this trust set's folders, good or bad; other files there have no name."""
        found = (key_at(PurePosixPath(path.relative_to(self._root).as_posix())) for path in self._candidates())
        return tuple(key for key in found if key is not None)

    def path(self, key: Wanted) -> Path:
        """Where an object lies."""
        return self._root / key.path

    def lock(self, key: Wanted, timeout: float) -> AbstractContextManager[None]:
        """Hold the right to fill a key, alone among threads and processes, waiting at most `timeout` seconds."""
        name = sha256(str(key.path).encode()).hexdigest()[:32]
        return locked(self._root / ".locks" / f"{name}.lock", timeout)

    def note_absent(self, key: Wanted, now: datetime) -> None:
        """Remember that the service had no such object at `now`."""
        replace_file(self._absent_marker(key), b"", now)

    def expect_not_absent(self, key: Wanted, now: datetime) -> None:
        """Raise CollateralError if the service said within the last five minutes that it has no such object."""
        marker = read_bounded(self._absent_marker(key), 0)
        if marker is not None and timedelta(0) <= now - marker.modified < ABSENT_FOR:
            message = f"{key}: not known to the service at {marker.modified:%H:%M:%S} UTC; not asked again before "
            raise CollateralError(f"{message}{marker.modified + ABSENT_FOR:%H:%M:%S}")

    @property
    def _root(self) -> Path:
        return self.folder / self.trust.name

    def _absent_marker(self, key: Wanted) -> Path:
        path = self.path(key)
        return path.with_name(f".{path.name}.absent")

    def _content(self, key: Wanted) -> FileContent | None:
        return read_bounded(self.path(key), key.size_limit)

    def _read(self, key: Wanted) -> Collateral:
        content = self._content(key)
        if content is None:
            return Collateral()
        if isinstance(key, CrlKey):
            return Collateral(crls=(Crl(der=content.data, kind=key.kind),))
        return Collateral(certificates=_certificates(key, content.data))

    def _admit(self, key: Wanted, data: bytes, now: datetime) -> datetime:
        """Verify an object and tell until when it is valid."""
        if isinstance(key, ChainKey):
            chain = admit_chain(key, data, self.trust)
            begin, until = chain.valid_from, chain.valid_until
        elif isinstance(key, CrlKey):
            crl = admit_crl(key, data, self.ark(key))
            begin, until = crl.this_update, crl.next_update or crl.this_update
        else:
            leaf = admit_vcek(key, data, self.chain(key.chain))
            begin, until = leaf.not_before, leaf.not_after
        _expect_begun(key, begin, now)
        return until

    def ark(self, key: CrlKey) -> Certificate:
        """Give the verified root over a list; raises CollateralError as `chain` does."""
        # Both kinds of chain end in one ARK: it comes from whichever chain is here, the list's own kind first.
        kinds = tuple(KeyKind) if key.kind is None else (key.kind, *(kind for kind in KeyKind if kind != key.kind))
        chains = tuple(ChainKey(product=key.product, kind=kind) for kind in kinds)
        stored = next((chain for chain in chains if self._content(chain) is not None), chains[0])
        return self.chain(stored).ark

    def _expect_no_rollback(self, key: Wanted, data: bytes) -> None:
        if isinstance(key, VcekKey) or (content := self._content(key)) is None:
            return
        try:
            stored = self._issued(key, content.data)
        except CollateralError:
            return  # what lies there is bad, and anything good may take its place
        issued = self._issued(key, data)
        if issued < stored:
            message = f"{key}: expected one issued {stored:%Y-%m-%d} or later, as stored, got one of {issued:%Y-%m-%d}"
            raise CollateralError(message, category=Category.ROLLBACK)

    def _issued(self, key: ChainKey | CrlKey, data: bytes) -> datetime:
        if isinstance(key, CrlKey):
            return admit_crl(key, data, self.ark(key)).this_update
        return admit_chain(key, data, self.trust).intermediate.not_before

    def _candidates(self) -> Iterator[Path]:
        for product in sorted(ProductLine):
            folder = self._root / "amd" / product.value
            yield from (path for path in (folder / "crl.der",) if path.is_file())
            for kind in ("vcek", "vlek"):
                yield from sorted(islice((folder / kind).glob("[!.]*.*"), MAXIMUM_LISTED))


def expect_aware(now: datetime) -> None:
    """Raise Misuse for a time without a time zone: it would be compared as another one."""
    if now.tzinfo is None:
        raise Misuse("time: expected an aware datetime, got one without a time zone")


def _certificates(key: ChainKey | VcekKey, data: bytes) -> tuple[bytes, ...]:
    if isinstance(key, VcekKey):
        return (data,)
    try:
        return read_pem(data)
    except Malformed:
        return (data,)  # not absent: for the appraisal to see


def _expect_begun(key: Wanted, begin: datetime, now: datetime) -> None:
    if now < begin:
        message = f"{key}: expected one valid at {now:%Y-%m-%d %H:%M}, got one that begins {begin:%Y-%m-%d %H:%M}"
        raise CollateralError(message, category=Category.EXPIRED)


def _with_imported_lists(wanted: Iterable[Wanted]) -> tuple[Wanted, ...]:
    keys = tuple(wanted)
    imported = tuple(CrlKey(product=key.product, kind=None) for key in keys if isinstance(key, CrlKey))
    return tuple(dict.fromkeys((*keys, *imported)))


def _is_current(crl: Crl, now: datetime) -> bool:
    try:
        found = read_crl(crl.der)
    except Malformed:
        return False
    return found.next_update is not None and found.this_update <= now.astimezone(UTC) <= found.next_update
