"""Certificates and revocation lists that the user gives with --certs: files in any usual form, folders of such.

They are handed to the appraisal as they are; it judges them. A file that can't be taken apart is refused here.
"""

from collections.abc import Iterable
from pathlib import Path

from cvmproof.cli.files import read_named
from cvmproof.cli.output import say
from cvmproof.collateral.collateral import Collateral, Crl
from cvmproof.collateral.intel_keys import AUTHORITY_NAMES
from cvmproof.spelling import escape
from cvmproof_formats.errors import Malformed
from cvmproof_formats.evidence import REPORT_LIMIT
from cvmproof_formats.pem import certificates, read_pem
from cvmproof_formats.snp import certificate_table
from cvmproof_formats.x509 import common_name, read_crl

_DER = b"\x30"
_PEM = b"-----BEGIN"
_JSON = b"{"
_PEM_CRL = "X509 CRL"  # RFC 7468 section 6


def read_certificates(names: Iterable[str]) -> Collateral:
    """Read what --certs names.

    Raises Misuse for a file that is not there, Malformed for one that is no certificate, PEM bundle, revocation list or
    certificate table, CollateralError for a folder out of bounds.
    """
    return Collateral().merged(*(_read(name) for name in names))


def take_apart(data: bytes) -> Collateral:
    """Take a file's content apart: DER, PEM, Intel's JSON or a certificate table; raises Malformed for other things."""
    if data.startswith(_DER):
        return _read_der(data)
    if data.lstrip().startswith(_JSON):
        from cvmproof.collateral.signed import (
            read_any_signed,
            signed_collateral,
        )

        read_any_signed(data)
        return signed_collateral(data)
    if data.lstrip().startswith(_PEM):
        return _read_pem(data)
    return _read_table(data)


def _read(name: str) -> Collateral:
    path = Path(name)
    if path.is_dir():
        return Collateral().merged(*(_read_in_folder(file) for file in _files(path)))
    data = read_named(name, REPORT_LIMIT, "certificates")
    try:
        return take_apart(data)
    except Malformed as error:
        raise Malformed(f"{escape(name)}: {error}", category=error.category) from error


def _files(folder: Path) -> tuple[Path, ...]:
    from cvmproof.collateral.loose import loose_files

    return loose_files(folder)


def _read_in_folder(path: Path) -> Collateral:
    try:
        return take_apart(read_named(str(path), REPORT_LIMIT, "certificates"))
    except Malformed:
        say(f"passed over {escape(str(path))}: neither certificate nor revocation list")
        return Collateral()


def _read_der(data: bytes) -> Collateral:
    if len(data) > REPORT_LIMIT:
        raise Malformed(f"expected at most {REPORT_LIMIT} bytes, got more")
    try:
        read_crl(data)
    except Malformed:
        return Collateral(certificates=(data,))
    return _of_lists((data,))


def _of_lists(ders: tuple[bytes, ...]) -> Collateral:
    """Give lists as the vendor's whose name they bear; one that can't be read might be AMD's."""
    intel = {der for der in ders if _issuer(der) in AUTHORITY_NAMES}
    return Collateral(
        crls=tuple(Crl(der=der) for der in ders if der not in intel),
        intel_crls=tuple(der for der in ders if der in intel),
    )


def _issuer(der: bytes) -> str:
    try:
        return common_name(read_crl(der).issuer)
    except Malformed:
        return ""


def _read_pem(data: bytes) -> Collateral:
    if b"-----BEGIN X509 CRL-----" in data[:64]:
        return _of_lists(read_pem(data, _PEM_CRL))
    return Collateral(certificates=read_pem(data))


def _read_table(data: bytes) -> Collateral:
    if len(data) > REPORT_LIMIT:
        raise Malformed(f"expected at most {REPORT_LIMIT} bytes, got more")
    try:
        entries = certificate_table.read_certificate_table(data)
    except Malformed as error:
        message = f"expected a certificate (DER, PEM), a PEM bundle or a certificate table: {error}"
        raise Malformed(message, category=error.category) from error
    ders = [
        der
        for entry in entries
        if entry.guid in certificate_table.CERTIFICATES
        for der in certificates(entry.data.rstrip(b"\0") if entry.data[:1] == b"-" else entry.data)
    ]
    crls = tuple(Crl(der=entry.data) for entry in entries if entry.guid == certificate_table.CRL)
    return Collateral(certificates=tuple(ders), crls=crls)
