"""The PCK chain that a quote carries, and the certificate of the key that signs Intel's JSON.

The shape is fixed: leaf, CA, root, in this order. Everything here is a pure function of bytes, and remembered by them.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from cvmproof.signature import load_p256_key
from cvmproof.tdx.link import link_problem, signed_problem
from cvmproof.tdx.profile import authority_problem, is_signer, pck_problem, root_problem, signer_problem
from cvmproof.trust import intel_set_of_root, is_known_root
from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.tdx.certificate import read_intel_certificate
from cvmproof_formats.tdx.certification_data import read_pck_chain
from cvmproof_formats.tdx.pck import PckIdentity, read_pck
from cvmproof_formats.tdx.signed_json import Signed
from cvmproof_formats.x509 import Certificate

_CHAIN_LENGTH = 3  # leaf, CA, root

read_certificate_once = lru_cache(maxsize=512)(read_intel_certificate)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PckChain:
    """Leaf, CA and root, what they say, and what is wrong with each and between them; "" where nothing is.

    `root_pinned_in` names the compiled-in trust set that has the root's key, if one does.
    """

    leaf: Certificate
    authority: Certificate
    root: Certificate
    identity: PckIdentity | None
    key: EllipticCurvePublicKey | None
    leaf_problem: str
    authority_problem: str
    root_problem: str
    leaf_signature_problem: str
    authority_signature_problem: str
    root_signature_problem: str
    root_key_sha256: bytes
    root_pinned_in: str | None

    @property
    def certificates(self) -> tuple[Certificate, Certificate, Certificate]:
        """The leaf first."""
        return self.leaf, self.authority, self.root


@lru_cache(maxsize=512)
def examine_pck_chain(data: bytes) -> PckChain:
    """Examine the chain of a quote: PEM as received.

    Raises Malformed for what is not PEM, or not certificates; with category CHAIN for others than leaf, CA and root.
    """
    found = tuple(read_certificate_once(der) for der in read_pck_chain(data))
    if len(found) != _CHAIN_LENGTH:
        raise Malformed(f"PCK chain: expected leaf, CA and root, got {len(found)}", category=Category.CHAIN)
    leaf, authority, root = found
    if leaf.issuer != authority.subject or authority.issuer != root.subject:
        message = "PCK chain: expected leaf, CA and root in this order, got others"
        raise Malformed(message, category=Category.CHAIN)
    key_sha256 = hashlib.sha256(root.spki).digest()
    return PckChain(
        leaf=leaf,
        authority=authority,
        root=root,
        identity=_identity_of(leaf),
        key=_key_of(leaf),
        leaf_problem=pck_problem(leaf),
        authority_problem=authority_problem(authority),
        root_problem=root_problem(root),
        leaf_signature_problem=link_problem(authority, leaf),
        authority_signature_problem=link_problem(root, authority),
        root_signature_problem="" if is_known_root(root.der) else link_problem(root, root),
        root_key_sha256=key_sha256,
        root_pinned_in=intel_set_of_root(key_sha256),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Signer:
    """The certificate of the key that signs TCB info and QE identities, and what is wrong with it."""

    certificate: Certificate
    problem: str
    signature_problem: str


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
            sum(not signed_problem(one, certificate.spki) for one in signed),
        )

    return max(signers, key=suitability, default=None)


@lru_cache(maxsize=256)
def signers_of(certificates: tuple[bytes, ...], root: Certificate) -> tuple[Signer, ...]:
    """Examine every certificate that is named as the signer's, under this root."""
    found = (certificate for certificate in map(_readable, certificates) if certificate and is_signer(certificate))
    return tuple(
        Signer(
            certificate=certificate,
            problem=signer_problem(certificate),
            signature_problem=link_problem(root, certificate),
        )
        for certificate in found
    )


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
