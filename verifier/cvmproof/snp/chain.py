"""The chain from a report's endorsement key to AMD's root: chosen from what was supplied, and examined.

The shape is fixed (ARK, ASK or ASVK, VCEK or VLEK), so nothing searches for paths. Whoever supplied the certificates
may have added any number of others; the chain that signs the report and holds together is the one examined, and where
none does, the one that claims to. Everything here is a pure function of the certificates and so is remembered.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from cvmproof.collateral.collateral import Crl
from cvmproof.signature import load_p384_key, verify_p384, verify_pss_sha384
from cvmproof.snp.profile import (
    crl_signing_problem,
    intermediate_names,
    intermediate_problem,
    is_leaf,
    issuer_name_of,
    leaf_problem,
    name_of,
    vek_identity,
)
from cvmproof.snp.root import examine_root, known_root
from cvmproof.trust import TrustRoots, is_known_root
from cvmproof_formats.errors import Malformed
from cvmproof_formats.snp.certificate import read_amd_certificate, read_amd_crl
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.report import SIGNED, AttestationReport
from cvmproof_formats.snp.signature import read_component
from cvmproof_formats.snp.vek import VekIdentity
from cvmproof_formats.x509 import PSS_SHA384, Certificate, CertificateList

read_certificate_once = lru_cache(maxsize=512)(read_amd_certificate)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chain:
    """Up to three certificates, what they say, and what is wrong with each and between them; "" where nothing is.

    `root_pinned_in` names the compiled-in trust set that has the root's key for the product line it names, if one does.
    """

    leaf: Certificate | None = None
    intermediate: Certificate | None = None
    root: Certificate | None = None
    vek: VekIdentity | None = None
    key: EllipticCurvePublicKey | None = None
    leaf_problem: str = ""
    intermediate_problem: str = ""
    root_problem: str = ""
    leaf_signature_problem: str = ""
    intermediate_signature_problem: str = ""
    root_signature_problem: str = ""
    root_key_sha256: bytes = b""
    vek_tcb: bytes = b""
    intermediate_for: tuple[ProductLine, KeyKind] | None = None
    root_product: ProductLine | None = None
    root_pinned_in: str | None = None

    @property
    def holds(self) -> bool:
        """Whether all three are there and fit; says nothing about pins, dates or revocation."""
        problems = (
            self.leaf_problem or self.intermediate_problem or self.root_problem,
            self.leaf_signature_problem or self.intermediate_signature_problem or self.root_signature_problem,
        )
        return self.root is not None and not any(problems)


NO_CHAIN = Chain()


def choose_chain(
    certificates: tuple[bytes, ...], received: bytes, report: AttestationReport, *, trust: TrustRoots, now: datetime
) -> Chain:
    """Choose the chain to examine for a report of 1184 bytes, at a time and for a trust set.

    Of several, the one that answers most questions with yes: whoever adds certificates can't turn a yes into a no.
    """
    # What evidence and a store both supply is one certificate: twice the same chain would have to be chosen between.
    chains = chains_of(tuple(dict.fromkeys(certificates)))
    if len(chains) == 1:
        return chains[0]

    def suitability(chain: Chain) -> tuple[bool, ...]:
        pinned = chain.root_pinned_in == trust.name
        fitting = chain.vek is not None and chain.vek.kind is report.signing_key
        return _signs(chain, received, report), chain.holds, pinned, _is_valid(chain, now), fitting

    return max(chains, key=suitability, default=NO_CHAIN)


@lru_cache(maxsize=256)
def chains_of(certificates: tuple[bytes, ...]) -> tuple[Chain, ...]:
    """Examine the chain of every leaf among the certificates; one without a leaf where something can't be read."""
    readable, unreadable = _read_all(certificates)
    chains = tuple(_examine(leaf, readable) for leaf in readable if is_leaf(leaf))
    if not chains and unreadable:
        return (Chain(leaf_problem=unreadable[0]),)
    return chains


def verify_link(issuer: Certificate, subject: Certificate) -> None:
    """Check that one certificate signed another, names included.

    Raises Malformed for another name, algorithm or kind of key, InvalidSignature for the rest.
    """
    if subject.issuer != issuer.subject:
        raise Malformed("its issuer is another name than the next certificate's subject")
    if subject.signature_algorithm not in PSS_SHA384:
        raise Malformed("not signed with RSA-PSS, SHA-384 and a salt of 48 bytes")
    verify_pss_sha384(issuer.spki, subject.signature, subject.tbs)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RevocationList:
    """A revocation list that is, or claims to be, a root's: what is wrong with it, in words; None if unreadable."""

    crl: CertificateList | None
    problem: str


@lru_cache(maxsize=256)
def revocation_lists(
    crls: tuple[Crl, ...], kind: KeyKind | None, root: Certificate | None
) -> tuple[RevocationList, ...]:
    """Examine the revocation lists that speak of this root's certificates; its dates are another question.

    Lists of other roots are passed over, and so are those kept for the other kind of key: they say nothing about the
    intermediate of this one. `kind` None examines every list: what any of them names is revoked.
    """
    if root is None:
        return ()
    examined = (_examine_crl(crl.der, root) for crl in crls if kind is None or crl.kind in {None, kind})
    return tuple(one for one in examined if one.crl is None or one.crl.issuer == root.subject)


def crl_problem(der: bytes, root: Certificate) -> str:
    """Say what keeps a revocation list from being this root's; "" where nothing does. Dates are another question."""
    examined = _examine_crl(der, root)
    if examined.crl and examined.crl.issuer != root.subject:
        return "its issuer is another name than the root's"
    return examined.problem


@lru_cache(maxsize=256)
def _examine_crl(der: bytes, root: Certificate) -> RevocationList:
    """Verify once: of the lists of one kind of key the intermediate is asked about, of all together the root."""
    try:
        crl = read_amd_crl(der)
    except Malformed as error:
        return RevocationList(crl=None, problem=str(error))
    return RevocationList(crl=crl, problem=_crl_signature_problem(crl, root) or _crl_content_problem(crl, root))


def _crl_signature_problem(crl: CertificateList, root: Certificate) -> str:
    if crl.signature_algorithm not in PSS_SHA384:
        return "not signed with RSA-PSS, SHA-384 and a salt of 48 bytes"
    try:
        verify_pss_sha384(root.spki, crl.signature, crl.tbs)
    except Malformed as error:
        return str(error)
    except InvalidSignature:
        return "its signature is not the root's"
    return ""


def _crl_content_problem(crl: CertificateList, root: Certificate) -> str:
    critical = [extension.oid for extension in crl.extensions if extension.critical]
    if critical:
        return f"critical extension {critical[0]}"
    if crl.next_update is None:
        return "it does not say when the next one comes"
    return crl_signing_problem(root)


def _read_all(certificates: tuple[bytes, ...]) -> tuple[list[Certificate], list[str]]:
    readable, unreadable = [], []
    for der in certificates:
        try:
            readable.append(known_root(der).certificate if is_known_root(der) else read_certificate_once(der))
        except Malformed as error:
            unreadable.append(str(error))
    return readable, unreadable


def _examine(leaf: Certificate, supplied: list[Certificate]) -> Chain:
    intermediate = _issuer_of(leaf, [c for c in supplied if c.subject != c.issuer and c is not leaf], supplied)
    root = _issuer_of(intermediate, [c for c in supplied if c.subject == c.issuer], supplied) if intermediate else None
    vek = _identity_of(leaf)
    top = examine_root(root) if root else None
    return Chain(
        leaf=leaf,
        intermediate=intermediate,
        root=root,
        vek=vek,
        key=_key_of(leaf),
        leaf_problem=leaf_problem(leaf),
        intermediate_problem=intermediate_problem(intermediate) if intermediate else "",
        root_problem=top.problem if top else "",
        leaf_signature_problem=_link_problem(intermediate, leaf) if intermediate else "",
        intermediate_signature_problem=_link_problem(root, intermediate) if root and intermediate else "",
        root_signature_problem=_link_problem(top.certificate, top.certificate) if top and not top.is_known else "",
        root_key_sha256=top.key_sha256 if top else b"",
        vek_tcb=vek.tcb.build(vek.product) if vek else b"",
        intermediate_for=intermediate_names(intermediate) if intermediate else None,
        root_product=top.product if top else None,
        root_pinned_in=top.pinned_in if top else None,
    )


def _identity_of(leaf: Certificate) -> VekIdentity | None:
    """Read what can be read, whatever else is wrong with the leaf: each question is answered for itself."""
    try:
        return vek_identity(leaf)
    except Malformed:
        return None


def _key_of(leaf: Certificate) -> EllipticCurvePublicKey | None:
    try:
        return load_p384_key(leaf.spki)
    except Malformed:
        return None


def _issuer_of(subject: Certificate, candidates: list[Certificate], supplied: list[Certificate]) -> Certificate | None:
    """Choose among certificates of the issuer's name the one that signed it, and that somebody signed in turn.

    Where none has the name, one that has at least its last part, the common name, was meant for it and does not fit.
    """
    named = [candidate for candidate in candidates if candidate.subject == subject.issuer]
    common = issuer_name_of(subject)
    named = named or [candidate for candidate in candidates if common and name_of(candidate) == common]
    if len(named) < 2:  # noqa: PLR2004 - nothing to choose
        return named[0] if named else None
    signers = [candidate for candidate in named if not _link_problem(candidate, subject)]
    vouched = [
        signer
        for signer in signers
        if any(not _link_problem(c, signer) for c in supplied if c.subject == signer.issuer)
    ]
    return (vouched or signers or named)[0]


@lru_cache(maxsize=512)
def _link_problem(issuer: Certificate, subject: Certificate) -> str:
    try:
        verify_link(issuer, subject)
    except Malformed as error:
        return str(error)
    except InvalidSignature:
        return "its signature is not the issuer's"
    return ""


def _is_valid(chain: Chain, now: datetime) -> bool:
    return all(c.not_before <= now <= c.not_after for c in (chain.leaf, chain.intermediate, chain.root) if c)


def _signs(chain: Chain, received: bytes, report: AttestationReport) -> bool:
    """Tell whether a chain's leaf signed the report; only ever used to choose which chain to examine."""
    if chain.key is None:
        return False
    r, s = read_component(report.signature_r), read_component(report.signature_s)
    try:
        verify_p384(chain.key, r, s, received[SIGNED])
    except InvalidSignature:
        return False
    return True
