"""The PCK chain that a quote carries, and the certificate of the key that signs Intel's JSON.

The shape is fixed: leaf, CA, root, in this order. Everything here is a pure function of bytes, and remembered by them.
"""

from datetime import datetime
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from cvmproof.signature import load_p256_key
from cvmproof.tdx.link import link_problem, link_problem_once, signed_problem_once
from cvmproof.tdx.profile import authority_problem, is_signer, pck_problem, signer_problem
from cvmproof.tdx.root import Root, cut_root, examine_root
from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.record import maker, record
from cvmproof_formats.tdx.certificate import read_intel_certificate
from cvmproof_formats.tdx.certification_data import read_pck_chain
from cvmproof_formats.tdx.pck import PckIdentity, read_pck
from cvmproof_formats.tdx.signed_json import Signed
from cvmproof_formats.x509 import Certificate

_CHAIN_LENGTH = 3  # leaf, CA, root

read_certificate_once = lru_cache(maxsize=512)(read_intel_certificate)


@record(eq=False)
class PckChain:
    """Leaf, CA and root, what they say, and what is wrong with each and between them; "" where nothing is."""

    leaf: Certificate
    authority: Certificate
    root: Root
    identity: PckIdentity | None
    key: EllipticCurvePublicKey | None
    leaf_problem: str
    authority_problem: str
    leaf_signature_problem: str
    authority_signature_problem: str

    @property
    def certificates(self) -> tuple[Certificate, Certificate, Certificate]:
        """The leaf first."""
        return self.leaf, self.authority, self.root.certificate


_pck_chain = maker(PckChain)


@lru_cache(maxsize=512)
def examine_pck_chain(data: bytes) -> PckChain:
    """Examine the chain of a quote: PEM as received.

    Raises Malformed for what is not PEM, or not certificates; with category CHAIN for others than leaf, CA and root.
    """
    leaf, authority, root = _read_chain(data)
    if leaf.issuer != authority.subject or authority.issuer != root.certificate.subject:
        message = "PCK chain: expected leaf, CA and root in this order, got others"
        raise Malformed(message, category=Category.CHAIN)
    return _pck_chain(
        leaf=leaf,
        authority=authority,
        root=root,
        identity=_identity_of(leaf),
        key=_key_of(leaf),
        leaf_problem=pck_problem(leaf),
        authority_problem=authority_problem(authority),
        leaf_signature_problem=link_problem(authority, leaf),
        authority_signature_problem=link_problem_once(root.certificate, authority),
    )


def _read_chain(data: bytes) -> tuple[Certificate, Certificate, Root]:
    rest, root = cut_root(data.removesuffix(b"\0"))
    found = read_pck_chain(rest if root else data)
    count = len(found) + (root is not None)
    if count != _CHAIN_LENGTH:
        raise Malformed(f"PCK chain: expected leaf, CA and root, got {count}", category=Category.CHAIN)
    return read_intel_certificate(found[0]), read_certificate_once(found[1]), root or examine_root(found[2])


@record(eq=False)
class Signer:
    """The certificate of the key that signs TCB info and QE identities, and what is wrong with it."""

    certificate: Certificate
    problem: str
    signature_problem: str


_signer = maker(Signer)


def choose_signer(
    certificates: tuple[bytes, ...], root: Certificate, now: datetime, signed: tuple[Signed, ...] = ()
) -> Signer | None:
    """Choose among supplied certificates the signer's; of several that hold at this time, the one that signed most."""
    signers = signers_of(certificates, root)

    def suitability(signer: Signer) -> tuple[bool, bool, bool, int]:
        certificate = signer.certificate
        return (
            not signer.problem,
            not signer.signature_problem,
            certificate.not_before <= now <= certificate.not_after,
            sum(not signed_problem_once(one, certificate.spki) for one in signed),
        )

    return max(signers, key=suitability, default=None)


@lru_cache(maxsize=256)
def signers_of(certificates: tuple[bytes, ...], root: Certificate) -> tuple[Signer, ...]:
    """Examine every certificate that is named as the signer's, under this root."""
    signers = []
    for der in certificates:
        certificate = _readable(der) if der != root.der else None
        if certificate and is_signer(certificate):
            problem, signature_problem = signer_problem(certificate), link_problem(root, certificate)
            signers.append(_signer(certificate=certificate, problem=problem, signature_problem=signature_problem))
    return tuple(signers)


def _readable(der: bytes) -> Certificate | None:
    try:
        return read_certificate_once(der)
    except Malformed:
        return None  # whatever it is, it is not the one that is looked for


def _identity_of(leaf: Certificate) -> PckIdentity | None:
    """Read what can be read, whatever else is wrong with the leaf: each question is answered for itself."""
    try:
        return read_pck(leaf)
    except Malformed:
        return None


def _key_of(leaf: Certificate) -> EllipticCurvePublicKey | None:
    try:
        return load_p256_key(leaf.spki)
    except Malformed:
        return None
