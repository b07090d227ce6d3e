"""Taking over collateral somebody hands us: files and folders, sorted by content, verified, put in place.

Roots go first, then the chains under them, then what those vouch for, in whatever order the files come. What is not
taken is named with its reason.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from cvmproof.collateral.admission import admit_root
from cvmproof.collateral.intel_admission import admit_certificate
from cvmproof.collateral.intel_keys import (
    AUTHORITY_NAMES,
    EvaluationNumbersKey,
    IntelCertificatesKey,
    IntelCrlKey,
    QeIdentityKey,
    SignedKey,
    TcbInfoKey,
)
from cvmproof.collateral.keys import ChainKey, CrlKey, Wanted, key_at
from cvmproof.collateral.loose import MAXIMUM_FILES, loose_files, read_objects, vcek_key
from cvmproof.snp.profile import intermediate_names, is_leaf, name_of, root_product
from cvmproof_formats.errors import Category, CollateralError, CvmproofError
from cvmproof_formats.pem import write_pem
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.tdx import qe_identity, tcb_info
from cvmproof_formats.tdx.evaluation_numbers import read_evaluation_numbers
from cvmproof_formats.tdx.hierarchy import PCK_NAME
from cvmproof_formats.tdx.qe_identity import read_qe_identity
from cvmproof_formats.tdx.signed_json import Signed, build_signed
from cvmproof_formats.tdx.tcb_info import read_tcb_info
from cvmproof_formats.x509 import Certificate, common_name, read_certificate, read_crl

if TYPE_CHECKING:  # the store offers the import, and the import fills the store
    from cvmproof.collateral.store import CollateralStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """An object that is in the store now, and the file it came from.

    `verified` is False for a revocation list in a bundle whose authority's certificate was not there: it lies loose,
    and is verified under the certificate that the evidence brings.
    """

    source: Path
    key: Wanted
    verified: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A file, or an object in it, that did not enter, and why."""

    source: Path
    reason: str
    category: Category


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What became of everything that was offered."""

    taken: tuple[Taken, ...]
    refused: tuple[Refused, ...]


def import_bundle(store: "CollateralStore", sources: Iterable[Path], now: datetime, *, as_bundle: bool) -> Imported:
    """Take over what the sources contain: the vendors' own files in any usual form, folders of such, other stores.

    `as_bundle`: the store is to be a bundle. It may be about another time, so that no date is held against `now`; and
    a PCK CA's list may come without the CA's certificate, which every quote brings.

    Raises CollateralError for a source that is not there, cannot be listed, or holds too many files (SIZE_LIMIT).
    """
    intake = _Intake(store=store, now=now, as_bundle=as_bundle)
    for source in sources:
        for path in dict.fromkeys(_files(source, store.trust.name)):
            intake.read(path)
    intake.take_all()
    return Imported(taken=tuple(dict.fromkeys(intake.taken)), refused=tuple(dict.fromkeys(intake.refused)))


class _Intake:
    """An import under way: objects sorted by what they call themselves, and what became of them."""

    def __init__(self, *, store: "CollateralStore", now: datetime, as_bundle: bool) -> None:
        self.taken: list[Taken] = []
        self.refused: list[Refused] = []
        self._store, self._now, self._as_bundle = store, now, as_bundle
        self._roots: dict[ProductLine, bytes] = {}
        self._intermediates: list[tuple[Path, ChainKey, Certificate]] = []
        self._authorities: list[tuple[Path, IntelCertificatesKey, Certificate]] = []
        self._lists: list[tuple[Path, KeyKind | None, bytes]] = []
        self._leaves: list[tuple[Path, Certificate]] = []
        self._signed: list[tuple[Path, SignedKey, datetime, Signed, str]] = []

    def read(self, path: Path) -> None:
        """Sort what one file holds."""
        found = read_objects(path)
        if found.reason:
            self.refused.append(Refused(source=path, reason=found.reason, category=Category.MALFORMED))
            return
        for der in found.certificates:
            with self._refusing(path):
                self._sort(path, read_certificate(der))
        self._lists += [(path, _kind_of(path), der) for der in found.crls]
        for name, signed in found.signed:
            with self._refusing(path):
                self._signed.append((path, *_named(path, name, signed), signed, name))

    def take_all(self) -> None:
        """Put everything in place, what is verified under something after it."""
        # A later file must not undo an earlier one: of several issues of one thing the newest comes last.
        for path, chain, certificate in sorted(self._intermediates, key=lambda found: found[2].not_before):
            with self._refusing(path):
                self._put(path, chain, write_pem(certificate.der) + write_pem(self._root(chain.product)))
        for path, authority, certificate in self._authorities:
            with self._refusing(path):
                self._put(path, authority, write_pem(certificate.der))
        for path, kind, der in sorted(self._lists, key=lambda found: _this_update(found[2])):
            with self._refusing(path):
                self._put_list(path, _list_key(der, kind), der)
        for path, certificate in self._leaves:
            with self._refusing(path):
                self._put(path, vcek_key(certificate), certificate.der)
        for path, key, _, signed, name in sorted(self._signed, key=lambda found: found[2]):
            with self._refusing(path):
                self._put(path, key, build_signed(name, signed))

    def _sort(self, path: Path, certificate: Certificate) -> None:
        product, names, name = root_product(certificate), intermediate_names(certificate), name_of(certificate)
        if product is not None:
            self._roots[product] = admit_root(product, certificate.der, self._store.trust).der
        elif names is not None:
            self._intermediates.append((path, ChainKey(product=names[0], kind=names[1]), certificate))
        elif name in AUTHORITY_NAMES:
            key = IntelCertificatesKey(authority=admit_certificate(certificate, self._store.trust))
            self._authorities.append((path, key, certificate))
        elif name in _BROUGHT:
            raise CollateralError(f"{name}: {_BROUGHT[name]}")
        elif is_leaf(certificate):
            self._leaves.append((path, certificate))
        else:
            got = f"expected one of AMD's or Intel's names, got {name!r:.80}"
            raise CollateralError(f"certificate: {got}", category=Category.CHAIN)

    def _root(self, product: ProductLine) -> bytes:
        if product in self._roots:
            return self._roots[product]
        return self._store.ark(CrlKey(product=product, kind=None)).der

    def _put(self, path: Path, key: Wanted, data: bytes) -> None:
        self._store.put(key, data, self._now, whatever_its_dates=self._as_bundle)
        self.taken.append(Taken(source=path, key=key))

    def _put_list(self, path: Path, key: CrlKey | IntelCrlKey, der: bytes) -> None:
        try:
            self._put(path, key, der)
        except CollateralError as error:
            if not (self._as_bundle and isinstance(key, IntelCrlKey) and error.category is Category.UNAVAILABLE):
                raise
            self._store.put_loose(f"intel-{key.authority}-{sha256(der).hexdigest()[:16]}.crl", der, self._now)
            self.taken.append(Taken(source=path, key=key, verified=False))

    @contextmanager
    def _refusing(self, path: Path) -> Iterator[None]:
        try:
            yield
        except CvmproofError as error:
            self.refused.append(Refused(source=path, reason=str(error), category=error.category))


def _files(source: Path, trust_name: str) -> tuple[Path, ...]:
    if not source.exists():
        raise CollateralError(f"{source}: expected a file or folder with collateral, got nothing there")
    if not source.is_dir():
        return (source,)
    folders = [source]
    for product in ProductLine:
        amd = source / trust_name / "amd" / product.value
        folders += [amd, amd / "vcek", amd / "vlek"]
    intel = source / trust_name / "intel"
    folders += [intel, intel / "qe", *_tcb_folders(intel / "tcb")]
    return tuple(path for folder in folders for path in loose_files(folder))


def _tcb_folders(folder: Path) -> list[Path]:
    found = sorted(islice(folder.glob("[!.]*"), MAXIMUM_FILES + 1))
    if len(found) > MAXIMUM_FILES:
        message = f"collateral folder {folder}: expected at most {MAXIMUM_FILES} folders of TCB info, got more"
        raise CollateralError(message, category=Category.SIZE_LIMIT)
    return found


def _kind_of(path: Path) -> KeyKind | None:
    """Tell the kind of a list from its place in a store's folder: its bytes do not say."""
    key = key_at(PurePosixPath(*path.absolute().parts[-4:]))
    return key.kind if isinstance(key, CrlKey) else None


def _list_key(der: bytes, kind: KeyKind | None) -> CrlKey | IntelCrlKey:
    name = common_name(read_crl(der).issuer)
    if name in AUTHORITY_NAMES:
        return IntelCrlKey(authority=AUTHORITY_NAMES[name])
    for product in ProductLine:
        if name == f"ARK-{product}":
            return CrlKey(product=product, kind=kind)
    message = f"revocation list: expected a root of AMD's, or an authority of Intel's, as its issuer, got {name!r:.80}"
    raise CollateralError(message, category=Category.CHAIN)


def _this_update(der: bytes) -> datetime:
    return read_crl(der).this_update


def _named(path: Path, name: str, signed: Signed) -> tuple[SignedKey, datetime]:
    """Name JSON by what it says of itself, and by the channel that its place in a store's folder says."""
    if name == tcb_info.NAME:
        info = read_tcb_info(signed.body)
        place = key_at(PurePosixPath(*path.absolute().parts[-4:]))
        issue = place.issue if isinstance(place, TcbInfoKey) else info.evaluation_number
        return TcbInfoKey(fmspc=info.fmspc, issue=issue), info.issue_date
    if name == qe_identity.NAME:
        identity = read_qe_identity(signed.body)
        place = key_at(PurePosixPath(*path.absolute().parts[-3:]))
        issue = place.issue if isinstance(place, QeIdentityKey) else identity.evaluation_number
        return QeIdentityKey(issue=issue), identity.issue_date
    return EvaluationNumbersKey(), read_evaluation_numbers(signed.body).issue_date


_BROUGHT = {
    "SEV-VLEK": "the store keeps none, its provider sends it; give it as --certs",
    PCK_NAME: "the store keeps none, each quote brings its own",
}
