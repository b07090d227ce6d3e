"""Taking over collateral somebody hands us: files and folders, sorted by content, verified, put in place.

Roots go first, then the chains under them, then what those vouch for. What is not taken is named with its reason.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from cvmproof.collateral.admission import admit_root
from cvmproof.collateral.keys import ChainKey, CrlKey, Wanted, key_at
from cvmproof.collateral.loose import loose_files, read_objects, vcek_key
from cvmproof.snp.profile import intermediate_names, is_leaf, name_of, root_product
from cvmproof_formats.errors import Category, CollateralError, CvmproofError
from cvmproof_formats.pem import write_pem
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.x509 import Certificate, common_name, read_certificate, read_crl

if TYPE_CHECKING:  # the store offers the import, and the import fills the store
    from cvmproof.collateral.store import CollateralStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """An object that is in the store now, and the file it came from."""

    source: Path
    key: Wanted


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


def import_bundle(store: "CollateralStore", sources: Iterable[Path], now: datetime) -> Imported:
    """Take over what the sources contain: certificates and lists (DER, PEM), folders of such files, other stores.

    Raises CollateralError for a source that is not there, cannot be listed, or holds too many files (SIZE_LIMIT).
    """
    intake = _Intake(store=store, now=now)
    for source in sources:
        for path in dict.fromkeys(_files(source, store.trust.name)):
            intake.read(path)
    intake.take_all()
    return Imported(taken=tuple(dict.fromkeys(intake.taken)), refused=tuple(dict.fromkeys(intake.refused)))


class _Intake:
    """An import under way: objects sorted by what they call themselves, and what became of them."""

    def __init__(self, *, store: "CollateralStore", now: datetime) -> None:
        self.taken: list[Taken] = []
        self.refused: list[Refused] = []
        self._store, self._now = store, now
        self._roots: dict[ProductLine, bytes] = {}
        self._intermediates: list[tuple[Path, ChainKey, Certificate]] = []
        self._lists: list[tuple[Path, KeyKind | None, bytes]] = []
        self._leaves: list[tuple[Path, Certificate]] = []

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

    def take_all(self) -> None:
        """Put everything in place, what is verified under something after it."""
        # A later file must not undo an earlier one: of several intermediates the newest comes last.
        for path, key, certificate in sorted(self._intermediates, key=lambda found: found[2].not_before):
            with self._refusing(path):
                self._put(path, key, write_pem(certificate.der) + write_pem(self._root(key.product)))
        for path, kind, der in self._lists:
            with self._refusing(path):
                self._put(path, CrlKey(product=_issuing_product(der), kind=kind), der)
        for path, certificate in self._leaves:
            with self._refusing(path):
                self._put(path, vcek_key(certificate), certificate.der)

    def _sort(self, path: Path, certificate: Certificate) -> None:
        product, names = root_product(certificate), intermediate_names(certificate)
        if product is not None:
            self._roots[product] = admit_root(product, certificate.der, self._store.trust).der
        elif names is not None:
            self._intermediates.append((path, ChainKey(product=names[0], kind=names[1]), certificate))
        elif name_of(certificate) == "SEV-VLEK":
            raise CollateralError("VLEK: the store keeps none, its provider sends it; give it as --certs")
        elif is_leaf(certificate):
            self._leaves.append((path, certificate))
        else:
            got = f"expected one of AMD's names, got {name_of(certificate)!r:.80}"
            raise CollateralError(f"certificate: {got}", category=Category.CHAIN)

    def _root(self, product: ProductLine) -> bytes:
        if product in self._roots:
            return self._roots[product]
        return self._store.ark(CrlKey(product=product, kind=None)).der

    def _put(self, path: Path, key: Wanted, data: bytes) -> None:
        self._store.put(key, data, self._now)
        self.taken.append(Taken(source=path, key=key))

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
    return tuple(path for folder in folders for path in loose_files(folder))


def _kind_of(path: Path) -> KeyKind | None:
    """Tell the kind of a list from its place in a store's folder: its bytes do not say."""
    key = key_at(PurePosixPath(*path.absolute().parts[-4:]))
    return key.kind if isinstance(key, CrlKey) else None


def _issuing_product(der: bytes) -> ProductLine:
    name = common_name(read_crl(der).issuer)
    for product in ProductLine:
        if name == f"ARK-{product}":
            return product
    raise CollateralError(
        f"revocation list: expected an AMD root as its issuer, got {name!r:.80}", category=Category.CHAIN
    )
