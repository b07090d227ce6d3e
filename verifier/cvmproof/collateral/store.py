"""The collateral store: one folder, which is also the form of an offline bundle.

    <folder>/<trust set>/amd/<product>/<vcek|vlek>/cert_chain.pem
    <folder>/<trust set>/amd/<product>/<vcek|vlek>/crl.der
    <folder>/<trust set>/amd/<product>/crl.der                       a list brought by hand, of unknown kind
    <folder>/<trust set>/amd/<product>/vcek/<hwid>-<tcb>.der
    <folder>/<trust set>/intel/<authority>.pem                       the root, a PCK CA, TCB signing: each issue of it
    <folder>/<trust set>/intel/<authority>.crl
    <folder>/<trust set>/intel/tcb/<fmspc>/<issue>.json              as sent; issue: standard, early, or a number
    <folder>/<trust set>/intel/qe/<issue>.json
    <folder>/<trust set>/intel/evaluation_numbers.json
    <folder>/*                                                       loose files, which count by what they contain

Nothing enters unverified (`admission`), and nothing that lies here is believed: `load` gives out bytes for the
appraisal to verify, and a fetch replaces what is no longer good. A trust set is a folder of its own, so simulated and
genuine objects never mix. Of TCB info and QE identities every issue that is stored is given out: the appraisal takes
the highest evaluation number that holds.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Self

from cvmproof.collateral.admission import Chain, admit_chain
from cvmproof.collateral.collateral import Collateral, Crl
from cvmproof.collateral.disk import FileContent, locked, read_bounded, replace_file
from cvmproof.collateral.intel_keys import (
    EvaluationNumbersKey,
    IntelCertificatesKey,
    IntelCrlKey,
    QeIdentityKey,
    TcbInfoKey,
)
from cvmproof.collateral.keys import ChainKey, CrlKey, Wanted, key_at
from cvmproof.collateral.loose import load_loose, loose_files
from cvmproof.collateral.standing import Standing, standing_of
from cvmproof.trust import TrustRoots
from cvmproof_formats.errors import Category, CollateralError, Malformed, Misuse
from cvmproof_formats.pem import read_pem, write_pem
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.x509 import Certificate, read_crl

if TYPE_CHECKING:
    from cvmproof.collateral.bundle import Imported

# AMD issues its lists for a year, Intel its JSON for a month; asking daily keeps a revocation from staying unseen long.
CRL_REFRESH = timedelta(hours=24)
# How long the service's "no such certificate" is taken for an answer.
ABSENT_FOR = timedelta(minutes=5)
MAXIMUM_LISTED = 10_000  # VCEKs that `show` looks at, per product line; and files of Intel's
MAXIMUM_ISSUES = 64  # of TCB info for one FMSPC, or of QE identities; Intel has made about twenty
_KEPT_CERTIFICATES = 8  # issues of one of Intel's certificates
_REFRESHED = (CrlKey, IntelCrlKey, TcbInfoKey, QeIdentityKey, EvaluationNumbersKey)


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
        """Tell whether a fetch should ask for it again: it is not fresh, or more than a day old and no certificate."""
        age = now - self.stored
        overdue = isinstance(self.key, _REFRESHED) and not timedelta(0) <= age < CRL_REFRESH
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
        return replace(
            found,
            crls=tuple(sorted(found.crls, key=lambda crl: not _is_current(crl.der, now))),
            intel_crls=tuple(sorted(found.intel_crls, key=lambda der: not _is_current(der, now))),
        )

    def look(self, key: Wanted, now: datetime) -> StoredObject | None:
        """Verify what is stored under a key, at that time; None if there is nothing."""
        expect_aware(now)
        content = self._content(key)
        if content is None:
            return None
        until, why = None, ""
        try:
            until = self._admit(key, content.data, now).until
            state = State.FRESH if now <= until else State.STALE
        except CollateralError as error:
            state, why = State.BAD, str(error)
        return StoredObject(
            key=key, state=state, size=len(content.data), stored=content.modified, valid_until=until, why=why
        )

    def show(self, now: datetime) -> tuple[StoredObject, ...]:
        """Look at everything stored for this trust set, in the order of the paths."""
        return tuple(found for key in self.keys() if (found := self.look(key, now)) is not None)

    def put(self, key: Wanted, data: bytes, now: datetime, *, whatever_its_dates: bool = False) -> None:
        """Verify an object and let it take its place, in the form in which the vendor sends it, lists in DER.

        Certificates of Intel's join those of the same authority that are there. `whatever_its_dates`: for a bundle
        about another time than `now`. Raises CollateralError and changes nothing for an object that is not what the key
        names (MALFORMED, CHAIN, SIGNATURE, COLLATERAL_MISMATCH), is not valid at `now` (EXPIRED) or older than what is
        stored (ROLLBACK); UNAVAILABLE where the chain above it is not in the store.
        """
        expect_aware(now)
        standing = standing_of(key, data, self)
        if not whatever_its_dates:
            _expect_begun(key, standing, now)
            _expect_not_over(key, standing, now)
        self._expect_no_rollback(key, standing)
        joined = self._joined(key, data) if isinstance(key, IntelCertificatesKey) else data
        replace_file(self.path(key), joined, now)
        self._absent_marker(key).unlink(missing_ok=True)

    def loose(self) -> tuple[Path, ...]:
        """List the files beside the named places; raises CollateralError where there are too many."""
        return loose_files(self.folder)

    def put_loose(self, name: str, data: bytes, now: datetime) -> None:
        """Lay a file beside the named places, where nothing is verified before it is used."""
        replace_file(self.folder / name, data, now)

    def import_(self, source: Path | Iterable[Path], now: datetime, *, as_bundle: bool = False) -> "Imported":
        """Take over the vendors' files and folders of them; what was refused comes back with the reason.

        `as_bundle`: this store is to be a bundle, for whatever time (`import_bundle`).
        """
        from cvmproof.collateral.bundle import import_bundle  # noqa: PLC0415 -- every verification loads this module

        sources = (source,) if isinstance(source, Path) else tuple(source)
        return import_bundle(self, sources, now, as_bundle=as_bundle)

    def chain(self, key: ChainKey) -> Chain:
        """Read and verify a stored chain, whatever its dates.

        Raises CollateralError as `admit_chain` does; UNAVAILABLE if there is none.
        """
        return admit_chain(key, self._stored(key), self.trust)

    def intel_certificates(self, key: IntelCertificatesKey) -> tuple[Certificate, ...]:
        """Read and verify the stored certificates of an authority, whatever their dates.

        Raises CollateralError as `admit_certificates` does; UNAVAILABLE if there is none.
        """
        return _admitted(key, self._stored(key), self.trust)

    def keys(self) -> tuple[Wanted, ...]:
        """Name what lies in this trust set's folders, good or bad; other files there have no name."""
        found = (self._key_at(path) for path in self._candidates())
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

    def _stored(self, key: Wanted) -> bytes:
        content = self._content(key)
        if content is None:
            raise CollateralError(f"{key}: not in the store", hint="cvmproof collateral fetch, or import")
        return content.data

    def _read(self, key: Wanted) -> Collateral:
        if isinstance(key, TcbInfoKey | QeIdentityKey):
            contents = (self._content(issue) for issue in self._issues(key))
            from cvmproof.collateral.signed import signed_collateral  # noqa: PLC0415 -- only for Intel's JSON

            return Collateral().merged(*(signed_collateral(content.data) for content in contents if content))
        content = self._content(key)
        if content is None or isinstance(key, EvaluationNumbersKey):
            return Collateral()
        if isinstance(key, CrlKey):
            return Collateral(crls=(Crl(der=content.data, kind=key.kind),))
        if isinstance(key, IntelCrlKey):
            return Collateral(intel_crls=(content.data,))
        return Collateral(certificates=_certificates(content.data))

    def _issues(self, key: TcbInfoKey | QeIdentityKey) -> tuple[Wanted, ...]:
        """Name every stored issue of TCB info or QE identity, the one asked for first."""
        paths = sorted(islice(self.path(key).parent.glob("[!.]*.json"), MAXIMUM_ISSUES))
        named = (self._key_at(path) for path in paths)
        return tuple(dict.fromkeys((key, *(found for found in named if found is not None))))

    def _admit(self, key: Wanted, data: bytes, now: datetime) -> Standing:
        """Verify an object that is stored; one that does not hold yet is as bad as one that is forged."""
        standing = standing_of(key, data, self)
        _expect_begun(key, standing, now)
        return standing

    def _joined(self, key: IntelCertificatesKey, pem: bytes) -> bytes:
        """Put certificates before those of the authority that are stored and still good, the newest first."""
        certificates = list(_admitted(key, pem, self.trust))
        with suppress(CollateralError):
            certificates += self.intel_certificates(key)
        newest_first = sorted(dict.fromkeys(certificates), key=lambda one: one.not_before, reverse=True)
        return b"".join(write_pem(one.der) for one in newest_first[:_KEPT_CERTIFICATES])

    def ark(self, key: CrlKey) -> Certificate:
        """Give the verified root over a list; raises CollateralError as `chain` does."""
        # Both kinds of chain end in one ARK: it comes from whichever chain is here, the list's own kind first.
        kinds = tuple(KeyKind) if key.kind is None else (key.kind, *(kind for kind in KeyKind if kind != key.kind))
        chains = tuple(ChainKey(product=key.product, kind=kind) for kind in kinds)
        stored = next((chain for chain in chains if self._content(chain) is not None), chains[0])
        return self.chain(stored).ark

    def _expect_no_rollback(self, key: Wanted, standing: Standing) -> None:
        if standing.rank is None or (content := self._content(key)) is None:
            return
        try:
            stored = standing_of(key, content.data, self)
        except CollateralError:
            return  # what lies there is bad, and anything good may take its place
        if stored.rank is not None and standing.rank < stored.rank:
            message = f"{key}: expected one issued {stored.issue} or later, as stored, got one of {standing.issue}"
            raise CollateralError(message, category=Category.ROLLBACK)

    def _candidates(self) -> Iterator[Path]:
        for product in sorted(ProductLine):
            folder = self._root / "amd" / product.value
            yield from (path for path in (folder / "crl.der",) if path.is_file())
            for kind in ("vcek", "vlek"):
                yield from sorted(islice((folder / kind).glob("[!.]*.*"), MAXIMUM_LISTED))
        for pattern in ("[!.]*.*", "qe/[!.]*.json", "tcb/*/[!.]*.json"):
            yield from sorted(islice((self._root / "intel").glob(pattern), MAXIMUM_LISTED))

    def _key_at(self, path: Path) -> Wanted | None:
        return key_at(PurePosixPath(path.relative_to(self._root).as_posix()))


def expect_aware(now: datetime) -> None:
    """Raise Misuse for a time without a time zone: it would be compared as another one."""
    if now.tzinfo is None:
        raise Misuse("time: expected an aware datetime, got one without a time zone")


def _admitted(key: IntelCertificatesKey, pem: bytes, trust: TrustRoots) -> tuple[Certificate, ...]:
    from cvmproof.collateral.intel_admission import admit_certificates  # noqa: PLC0415 -- a store of AMD's needs none

    return tuple(admit_certificates(key, pem, trust))


def _certificates(data: bytes) -> tuple[bytes, ...]:
    try:
        return read_pem(data)
    except Malformed:
        return (data,)  # one in DER; or none, which is not absent: for the appraisal to see


def _expect_begun(key: Wanted, standing: Standing, now: datetime) -> None:
    if now < standing.begin:
        begin = f"{standing.begin:%Y-%m-%d %H:%M}"
        message = f"{key}: expected one valid at {now:%Y-%m-%d %H:%M}, got one that begins {begin}"
        raise CollateralError(message, category=Category.EXPIRED)


def _expect_not_over(key: Wanted, standing: Standing, now: datetime) -> None:
    if now > standing.until:
        message = f"{key}: expected one valid at {now:%Y-%m-%d}, got one that ended {standing.until:%Y-%m-%d}"
        hint = "a bundle for another time: cvmproof collateral import --out DIR"
        raise CollateralError(message, category=Category.EXPIRED, hint=hint)


def _with_imported_lists(wanted: Iterable[Wanted]) -> tuple[Wanted, ...]:
    keys = tuple(wanted)
    imported = tuple(CrlKey(product=key.product, kind=None) for key in keys if isinstance(key, CrlKey))
    return tuple(dict.fromkeys((*keys, *imported)))


def _is_current(der: bytes, now: datetime) -> bool:
    try:
        found = read_crl(der)
    except Malformed:
        return False
    return found.next_update is not None and found.this_update <= now <= found.next_update
