"""Loose files, which lie directly in a folder and count by what they contain: certificates, lists, Intel's JSON.

A folder somebody hands over is untrusted: at most 1,000 files, 64 KiB each, no folders below it, and whatever is
none of these is passed over.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from cvmproof.collateral.collateral import Collateral, Crl
from cvmproof.collateral.disk import read_bounded
from cvmproof.collateral.intel_keys import (
    AUTHORITY_NAMES,
    IntelCertificatesKey,
    IntelCrlKey,
)
from cvmproof.collateral.keys import ChainKey, CrlKey, VcekKey, Wanted
from cvmproof.collateral.spelled import CRL_LABEL, read_crls, unspelled
from cvmproof.snp.profile import intermediate_names, is_leaf, name_of, root_product
from cvmproof_formats.errors import Category, CollateralError, Malformed
from cvmproof_formats.pem import certificates
from cvmproof_formats.snp.product import KeyKind
from cvmproof_formats.snp.vek import read_vek
from cvmproof_formats.x509 import Certificate, common_name, read_certificate, read_crl

if TYPE_CHECKING:
    from cvmproof_formats.tdx.signed_json import Signed

MAXIMUM_FILES = 1_000
MAXIMUM_SIZE = 64 * 1024  # bytes; the limit of a revocation list, the largest thing expected
MAXIMUM_OBJECTS = 64  # that concern one report: a chain, its lists, and room for several issues of each


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """What a file turned out to hold (DER, JSON by its name, as received); `reason` says why it holds nothing."""

    certificates: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    signed: "tuple[tuple[str, Signed], ...]" = ()
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
    if content is None:
        return Objects(reason="it is no longer there")
    data = content.data
    found = _too_large() if len(data) > MAXIMUM_SIZE else identify(data)
    if found.reason and (path.suffix.lower() == ".crl" or CRL_LABEL.encode() in data[:64]):
        return Objects(crls=(data,), reason=found.reason)
    return found


def identify(data: bytes) -> Objects:
    """Tell certificates, revocation lists and JSON of Intel's apart by reading them, as far as telling needs it."""
    if data.lstrip().startswith(b"{"):
        return _read_signed(data)
    reasons = []
    for read in (_read_certificates, _read_crls):
        try:
            return read(data)
        except Malformed as error:
            reasons.append(str(error))
    return Objects(reason=f"neither a certificate ({reasons[0]:.200}) nor a revocation list ({reasons[1]:.200})")


def _read_certificates(data: bytes) -> Objects:
    found = certificates(unspelled(data))
    for der in found:
        read_certificate(der)
    return Objects(certificates=found)


def _read_signed(data: bytes) -> Objects:
    from cvmproof.collateral.signed import read_any_signed  # noqa: PLC0415 -- a folder of AMD's alone needs none

    try:
        return Objects(signed=(read_any_signed(data),))
    except Malformed as error:
        return Objects(reason=str(error))


def _read_crls(data: bytes) -> Objects:
    found = read_crls(data)
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
    objects = [read_objects(path) for path in loose_files(folder)]
    amd, intel = _lists(objects, keys)
    signed = [one for found in objects for one in found.signed]
    found = Collateral().merged(
        Collateral(
            certificates=tuple(der for one in objects for der in one.certificates if concerns(der, keys)),
            crls=tuple(Crl(der=der) for der in amd),
            intel_crls=intel,
        ),
        _signed_for(signed, keys) if signed else Collateral(),
    )
    if _size(found) > MAXIMUM_OBJECTS:
        message = (
            f"collateral folder {folder}: expected at most {MAXIMUM_OBJECTS} loose objects for one report, got more"
        )
        raise CollateralError(message, category=Category.SIZE_LIMIT)
    return found


def _lists(objects: Iterable[Objects], wanted: frozenset[Wanted]) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Choose AMD's lists and Intel's; one that can't be read may be any of the wanted."""
    amd = {f"ARK-{key.product}" for key in wanted if isinstance(key, CrlKey)}
    authorities = {key.authority for key in wanted if isinstance(key, IntelCrlKey)}
    intel = {name for name, authority in AUTHORITY_NAMES.items() if authority in authorities}
    named = [(der, None if one.reason else _issuer(der)) for one in objects for der in one.crls]
    return (
        tuple(der for der, name in named if name in amd or (name is None and amd)),
        tuple(der for der, name in named if name in intel or (name is None and intel)),
    )


def _signed_for(signed: "Sequence[tuple[str, Signed]]", keys: frozenset[Wanted]) -> Collateral:
    from cvmproof.collateral.signed import signed_for  # noqa: PLC0415 -- as above

    return signed_for(signed, keys)


def _size(found: Collateral) -> int:
    every = (found.certificates, found.crls, found.intel_crls, found.tcb_infos, found.qe_identities)
    return sum(map(len, every))


def concerns(der: bytes, wanted: frozenset[Wanted]) -> bool:
    """Tell whether a certificate calls itself one of the wanted; whether it is, the appraisal finds out."""
    try:
        certificate = read_certificate(der)
        if is_leaf(certificate):
            return _leaf_concerns(certificate, wanted)
    except Malformed:
        return False
    authority = AUTHORITY_NAMES.get(name_of(certificate))
    if authority is not None:
        return IntelCertificatesKey(authority=authority) in wanted
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
