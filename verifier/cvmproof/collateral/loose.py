"""Loose files: certificates and revocation lists that lie directly in a folder and count by what they contain.

A folder somebody hands over is untrusted: at most 1,000 files, 64 KiB each, no folders below it, and whatever is
neither a certificate nor a list is passed over.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from cvmproof.collateral.collateral import Collateral, Crl
from cvmproof.collateral.disk import read_bounded
from cvmproof.collateral.keys import ChainKey, CrlKey, VcekKey, Wanted
from cvmproof.snp.profile import intermediate_names, is_leaf, root_product
from cvmproof_formats.errors import Category, CollateralError, Malformed
from cvmproof_formats.pem import certificates, read_pem
from cvmproof_formats.snp.product import KeyKind
from cvmproof_formats.snp.vek import read_vek
from cvmproof_formats.x509 import Certificate, common_name, read_certificate, read_crl

MAXIMUM_FILES = 1_000
MAXIMUM_SIZE = 64 * 1024  # bytes; the limit of a revocation list, the largest thing expected
MAXIMUM_OBJECTS = 64  # that concern one report: a chain, its lists, and room for several issues of each
_CRL_LABEL = "X509 CRL"  # RFC 7468 section 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """What a file turned out to hold (DER, as received); `reason` says why it holds nothing."""

    certificates: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    reason: str = ""


def loose_files(folder: Path) -> tuple[Path, ...]:
    """List the files that lie directly in a folder, by name; none if there is no such folder.

    Raises CollateralError for a folder that cannot be listed, or (SIZE_LIMIT) holds more than 1,000 files.
    """
    try:
        found = sorted(islice(_entries(folder), MAXIMUM_FILES + 1))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise CollateralError(f"collateral folder {folder}: cannot be listed: {error.strerror}") from error
    if len(found) > MAXIMUM_FILES:
        message = f"collateral folder {folder}: expected at most {MAXIMUM_FILES} loose files, got more"
        raise CollateralError(message, category=Category.SIZE_LIMIT)
    return tuple(found)


def _entries(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        yield from (Path(entry.path) for entry in entries if not entry.is_dir() and not entry.name.startswith("."))


def read_objects(path: Path) -> Objects:
    """Tell what one file holds. What calls itself a revocation list is given out even if it cannot be read as one."""
    content = read_bounded(path, MAXIMUM_SIZE)
    data = b"" if content is None else content.data
    found = _too_large() if len(data) > MAXIMUM_SIZE else identify(data)
    if found.reason and (path.suffix.lower() == ".crl" or _CRL_LABEL.encode() in data[:64]):
        return Objects(crls=(data,), reason=found.reason)
    return found


def identify(data: bytes) -> Objects:
    """Tell certificates (DER, PEM) and revocation lists (DER, PEM) apart by reading them."""
    reasons = []
    for read in (_read_certificates, _read_crls):
        try:
            return read(data)
        except Malformed as error:
            reasons.append(str(error))
    return Objects(reason=f"neither a certificate ({reasons[0]:.200}) nor a revocation list ({reasons[1]:.200})")


def _read_certificates(data: bytes) -> Objects:
    found = certificates(data)
    for der in found:
        read_certificate(der)
    return Objects(certificates=found)


def _read_crls(data: bytes) -> Objects:
    found = read_pem(data, _CRL_LABEL) if data.lstrip().startswith(b"-----") else (data,)
    for der in found:
        _issuer(der)
    return Objects(crls=found)


def _too_large() -> Objects:
    return Objects(reason=f"expected at most {MAXIMUM_SIZE} bytes, got more")


def load_loose(folder: Path, wanted: Iterable[Wanted]) -> Collateral:
    """Read the loose files of a folder for what concerns the wanted objects.

    Certificates of other chips, TCBs and product lines are left out; so is what cannot be read, save a file that calls
    itself a revocation list. Raises CollateralError as `loose_files` does.
    """
    keys = frozenset(wanted)
    issuers = {f"ARK-{key.product}" for key in keys if isinstance(key, CrlKey)}
    objects = [read_objects(path) for path in loose_files(folder)]
    found = Collateral().merged(
        Collateral(
            certificates=tuple(der for one in objects for der in one.certificates if concerns(der, keys)),
            crls=tuple(Crl(der=der) for one in objects for der in one.crls if one.reason or _issuer(der) in issuers),
        )
    )
    if len(found.certificates) + len(found.crls) > MAXIMUM_OBJECTS:
        message = (
            f"collateral folder {folder}: expected at most {MAXIMUM_OBJECTS} loose objects for one report, got more"
        )
        raise CollateralError(message, category=Category.SIZE_LIMIT)
    return found


def concerns(der: bytes, wanted: frozenset[Wanted]) -> bool:
    """Tell whether a certificate calls itself one of the wanted; whether it is, the appraisal finds out."""
    try:
        certificate = read_certificate(der)
        if is_leaf(certificate):
            return _leaf_concerns(certificate, wanted)
    except Malformed:
        return False
    chains = frozenset(key for key in wanted if isinstance(key, ChainKey))
    product, names = root_product(certificate), intermediate_names(certificate)
    return any(product is key.product or names == (key.product, key.kind) for key in chains)


def _leaf_concerns(leaf: Certificate, wanted: frozenset[Wanted]) -> bool:
    identity = read_vek(leaf.extensions)
    if identity.kind is KeyKind.VLEK:
        return ChainKey(product=identity.product, kind=KeyKind.VLEK) in wanted
    return vcek_key(leaf) in wanted


def vcek_key(certificate: Certificate) -> VcekKey:
    """Name a chip's certificate by what it says of itself.

    Raises Malformed for a certificate that is not a VCEK in AMD's profile.
    """
    identity = read_vek(certificate.extensions)
    if identity.hwid is None:
        raise Malformed("VCEK: expected a hardware id, got none")
    return VcekKey(product=identity.product, hwid=identity.hwid, tcb=identity.tcb)


def _issuer(der: bytes) -> str:
    return common_name(read_crl(der).issuer)
