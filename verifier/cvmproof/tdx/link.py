"""Who signed what in Intel's hierarchy: certificates, revocation lists, and signed JSON.

Each function gives what is wrong in words, or "" where nothing is. All are pure functions of bytes, and what many
quotes share is remembered; dates are other questions, asked anew each time.
"""

from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from cvmproof.signature import load_p256_key, verify_p256, verify_p256_der
from cvmproof.tdx.profile import usage_of
from cvmproof.trust import INTEL_ROOT_KEYS
from cvmproof_formats import der
from cvmproof_formats.errors import Malformed
from cvmproof_formats.record import maker, record
from cvmproof_formats.tdx.crl import read_intel_crl
from cvmproof_formats.tdx.hierarchy import ECDSA_SHA256
from cvmproof_formats.tdx.signed_json import Signed
from cvmproof_formats.x509 import Certificate, CertificateList

_COMPONENT_SIZE = 32  # bytes
_OTHER_SIGNATURE = "its signature is not the issuer's"


def link_problem(issuer: Certificate, subject: Certificate) -> str:
    """Say what keeps one certificate from having signed another, names included."""
    if subject.issuer != issuer.subject:
        return "its issuer is another name than the next certificate's subject"
    return signature_problem(issuer.spki, subject.signature_algorithm, subject.signature, subject.tbs)


@lru_cache(maxsize=256)
def link_problem_once(issuer: Certificate, subject: Certificate) -> str:
    """The same, remembered: for authorities, which stand in many chains."""
    return link_problem(issuer, subject)


def signature_problem(spki: bytes, algorithm: bytes, signature: bytes, message: bytes) -> str:
    """Say what keeps a signature in DER, as certificates and revocation lists carry it, from being this key's."""
    if algorithm != ECDSA_SHA256:
        return "not signed with ECDSA and SHA-256"
    try:
        verify_p256_der(_key(spki), signature, message)
    except Malformed as error:
        return str(error)
    except InvalidSignature:
        return _form_problem(signature) or _OTHER_SIGNATURE
    return ""


def _key(spki: bytes) -> EllipticCurvePublicKey:
    return root_key(spki) if spki in INTEL_ROOT_KEYS else load_p256_key(spki)


@lru_cache(maxsize=len(INTEL_ROOT_KEYS))
def root_key(spki: bytes) -> EllipticCurvePublicKey:
    """Load a key of Intel's root; it is compiled in, so what is kept here is no cache of anything received."""
    return load_p256_key(spki)


def _form_problem(signature: bytes) -> str:
    """Say what keeps bytes from being a signature at all, whoever's."""
    try:
        require_signature(signature)
    except Malformed as error:
        return str(error)
    return ""


def require_signature(data: bytes) -> None:
    """Refuse what is not an ECDSA-Sig-Value (RFC 3279 section 2.2.3) of two numbers of up to 32 bytes.

    Raises Malformed.
    """
    start, end = der.only(data, 0, len(data), der.SEQUENCE, "signature")
    first, start = der.expect(data, start, end, der.INTEGER, "signature")
    r = der.read_integer(data[first:start], "signature")
    first, last = der.only(data, start, end, der.INTEGER, "signature")
    s = der.read_integer(data[first:last], "signature")
    if max(r, s) >> 8 * _COMPONENT_SIZE:
        raise Malformed("signature: expected two numbers of 32 bytes, got larger ones")


def signed_problem(signed: Signed, spki: bytes) -> str:
    """Say what keeps a signed object from being that of this key."""
    try:
        verify_p256(load_p256_key(spki), signed.signature, signed.body)
    except Malformed as error:
        return str(error)
    except InvalidSignature:
        return "its signature is not the signing key's"
    return ""


@lru_cache(maxsize=256)
def signed_problem_once(signed: Signed, spki: bytes) -> str:
    """The same, remembered."""
    return signed_problem(signed, spki)


@record(eq=False)
class RevocationList:
    """A revocation list that is, or claims to be, an authority's: what is wrong with it; None if it can't be read."""

    crl: CertificateList | None
    problem: str


_revocation_list = maker(RevocationList)


Lists = tuple[RevocationList, ...]


@lru_cache(maxsize=256)
def lists_of(crls: tuple[bytes, ...], root: Certificate, authority: Certificate) -> tuple[Lists, Lists]:
    """Examine the revocation lists of two authorities; those of others are passed over, unreadable ones are not."""
    read = [read_crl_once(data) for data in crls]
    return _lists_of(read, root), _lists_of(read, authority)


def _lists_of(read: list[CertificateList | str], issuer: Certificate) -> Lists:
    return tuple([_examine_crl(one, issuer) for one in read if isinstance(one, str) or one.issuer == issuer.subject])


def examine_crl(data: bytes, issuer: Certificate) -> RevocationList:
    """Examine a revocation list as one of this authority; its dates are another question."""
    return _examine_crl(read_crl_once(data), issuer)


def _examine_crl(read: CertificateList | str, issuer: Certificate) -> RevocationList:
    if isinstance(read, str):
        return RevocationList(crl=None, problem=read)
    return _revocation_list(crl=read, problem=_crl_problem(read, issuer))


@lru_cache(maxsize=256)
def read_crl_once(data: bytes) -> CertificateList | str:
    """Read a list, or say what is wrong with it; whose it is, is another question."""
    try:
        return read_intel_crl(data)
    except Malformed as error:
        return str(error)


def crl_problem(data: bytes, issuer: Certificate) -> str:
    """Say what keeps a revocation list from being this authority's."""
    return examine_crl(data, issuer).problem


def _crl_problem(crl: CertificateList, issuer: Certificate) -> str:
    if crl.issuer != issuer.subject:
        return "its issuer is another name than the authority's"
    for extension in crl.extensions:
        if extension.critical:
            return f"critical extension {extension.oid}"
    if crl.next_update is None:
        return "it does not say when the next one comes"
    try:
        usage = usage_of(issuer)
    except Malformed as error:
        return str(error)
    if usage is None or not usage.crl_sign:
        return "the authority's key usage lacks cRLSign"
    return signature_problem(issuer.spki, crl.signature_algorithm, crl.signature, crl.tbs)
