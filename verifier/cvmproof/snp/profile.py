"""AMD's certificate profile: what a root (ARK), an intermediate (ASK, ASVK) and an endorsement key must look like.

Follows AMD 57230 and 58369. Generic path builders refuse these certificates (serial number 0, no key identifiers), so
the profile is held here, exactly. Each function gives what is wrong in words, or "" where nothing is.
"""

from functools import lru_cache

from cvmproof.signature import load_p384_key, load_rsa_key
from cvmproof_formats.errors import Malformed
from cvmproof_formats.snp.hierarchy import INTERMEDIATES, LEAVES, ROOTS, common_name_of
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.vek import AMD_ARC, VekIdentity, read_vek
from cvmproof_formats.x509 import (
    BASIC_CONSTRAINTS,
    KEY_USAGE,
    PSS_SHA384,
    Certificate,
    basic_constraints,
    key_usage,
)

_CA_CRITICAL = frozenset({BASIC_CONSTRAINTS, KEY_USAGE})
_X509_V3 = 3

_key_usage_once = lru_cache(maxsize=256)(key_usage)


def name_of(certificate: Certificate) -> str:
    """Give the subject's common name, "" where it has none that can be read."""
    return _name(certificate.subject)


def issuer_name_of(certificate: Certificate) -> str:
    """Give the issuer's common name, "" where it has none that can be read."""
    return _name(certificate.issuer)


def is_leaf(certificate: Certificate) -> bool:
    """Tell whether a certificate presents itself as an endorsement key: by its name or by AMD's extensions."""
    return name_of(certificate) in LEAVES or any(e.oid.startswith(AMD_ARC) for e in certificate.extensions)


def root_product(certificate: Certificate) -> ProductLine | None:
    """Give the product line that a root's name says, None where it says none."""
    return ROOTS.get(name_of(certificate))


def intermediate_names(certificate: Certificate) -> tuple[ProductLine, KeyKind] | None:
    """Give the product line and kind of key that an intermediate's name says, None where it says none."""
    return INTERMEDIATES.get(name_of(certificate))


@lru_cache(maxsize=256)
def vek_identity(certificate: Certificate) -> VekIdentity:
    """Read what an endorsement key's certificate says about it.

    Raises Malformed where the extensions are not exactly AMD's set.
    """
    return read_vek(certificate.extensions)


@lru_cache(maxsize=256)
def leaf_problem(certificate: Certificate) -> str:
    """Say what keeps a certificate from being a VCEK's or VLEK's."""
    kind = LEAVES.get(name_of(certificate))
    if kind is None:
        return f"its name is {name_of(certificate)!r}, not SEV-VCEK or SEV-VLEK"
    try:
        identity = vek_identity(certificate)
        load_p384_key(certificate.spki)
    except Malformed as error:
        return str(error)
    if identity.kind is not kind:
        return f"it is named {kind} and carries the extensions of a {identity.kind}"
    if certificate.serial != 0:
        return f"serial number {certificate.serial}, where AMD gives every endorsement key 0"
    return _signed_problem(certificate)


@lru_cache(maxsize=256)
def intermediate_problem(certificate: Certificate) -> str:
    """Say what keeps a certificate from being an ASK's or ASVK's."""
    if intermediate_names(certificate) is None:
        return f"its name is {name_of(certificate)!r}, not SEV-<product> or SEV-VLEK-<product>"
    return _authority_problem(certificate, path_lengths=(0,))


@lru_cache(maxsize=256)
def root_problem(certificate: Certificate) -> str:
    """Say what keeps a certificate from being an ARK's, its key aside."""
    if root_product(certificate) is None:
        return f"its name is {name_of(certificate)!r}, not ARK-<product>"
    if certificate.subject != certificate.issuer:
        return "its issuer is not its subject"
    return _authority_problem(certificate, path_lengths=(None, 1))


@lru_cache(maxsize=256)
def crl_signing_problem(certificate: Certificate) -> str:
    """Say what keeps a root from signing a CRL."""
    try:
        usage = _key_usage_once(certificate)
    except Malformed as error:
        return str(error)
    return "" if usage is not None and usage.crl_sign else "its key usage lacks cRLSign"


def _authority_problem(certificate: Certificate, *, path_lengths: tuple[int | None, ...]) -> str:
    try:
        constraints, usage = basic_constraints(certificate), _key_usage_once(certificate)
        load_rsa_key(certificate.spki)
    except Malformed as error:
        return str(error)
    if constraints is None or not constraints.ca:
        return "it is not a CA"
    if constraints.path_length not in path_lengths:
        return f"its path length is {constraints.path_length}"
    if usage is None or not usage.key_cert_sign:
        return "its key usage lacks keyCertSign"
    strange = [e.oid for e in certificate.extensions if e.critical and e.oid not in _CA_CRITICAL]
    if strange:
        return f"critical extension {strange[0]}"
    return _signed_problem(certificate)


def _signed_problem(certificate: Certificate) -> str:
    if certificate.version != _X509_V3:
        return f"X.509 version {certificate.version}"
    if certificate.signature_algorithm not in PSS_SHA384:
        return "not signed with RSA-PSS, SHA-384 and a salt of 48 bytes"
    return ""


def _name(name: bytes) -> str:
    try:
        return common_name_of(name)
    except Malformed:
        return ""
