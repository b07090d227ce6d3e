"""Answers about the endorsement key, its chain, and revocation."""

from cryptography.exceptions import InvalidSignature

from cvmproof.check import Absent, Answer, Outcome, failed, passed, require, undecided
from cvmproof.policy.policy import Revocation
from cvmproof.signature import verify_p384
from cvmproof.snp.answering import answers
from cvmproof.snp.case import SnpCase
from cvmproof.snp.chain import RevocationList
from cvmproof.snp.tcb_words import TcbWords
from cvmproof_formats.snp.key_flags import MASK_CHIP_KEY
from cvmproof_formats.snp.product import ProductLine
from cvmproof_formats.snp.report import SIGNED
from cvmproof_formats.snp.signature import read_component
from cvmproof_formats.x509 import Certificate, CertificateList

_AUTHENTIC = "a revocation list that the root signed"
_V2_PRODUCTS = frozenset({ProductLine.MILAN, ProductLine.GENOA})  # Turin firmware writes version 3 and later only


def no_key(case: SnpCase, expected: object) -> Answer:
    """Answer where the endorsement key can't be looked at."""
    return undecided(expected, Absent(f"certificate of the {case.signing_key} that signed, in AMD's profile"))


def no_authority(expected: object, what: str) -> Answer:
    """Answer where a CA certificate is missing."""
    return undecided(expected, Absent(what))


@answers("snp.vek.profile")
def vek_profile(case: SnpCase) -> Answer:
    """The leaf must be a VCEK's or VLEK's certificate in AMD's profile."""
    expected = "AMD's certificate profile"
    if case.chain.leaf_problem:
        return failed(expected, case.chain.leaf_problem)
    return passed(expected, expected) if case.chain.leaf else no_key(case, expected)


@answers("snp.vek.kind")
def vek_kind(case: SnpCase) -> Answer:
    """The kind of key must be the one the report names."""
    vek = case.chain.vek
    return (
        no_key(case, case.signing_key)
        if vek is None
        else require(vek.kind is case.signing_key, case.signing_key, vek.kind)
    )


@answers("snp.vek.product")
def vek_product(case: SnpCase) -> Answer:
    """The key's product line must be the CPU's; a report without a CPU can only be of a line that had such reports."""
    vek = case.chain.vek
    expected = case.part.product if case.part else _V2_PRODUCTS
    if vek is None:
        return no_key(case, expected)
    holds = vek.product is case.part.product if case.part else vek.product in _V2_PRODUCTS
    return require(holds, expected, vek.product)


@answers("snp.vek.tcb")
def vek_tcb(case: SnpCase) -> Answer:
    """The key must be for exactly the TCB that the report claims."""
    vek, reported = case.chain.vek, case.report.reported_tcb
    if vek is None:
        return no_key(case, TcbWords(reported, case.product))
    return require(
        case.chain.vek_tcb == reported,
        TcbWords(reported, vek.product),
        TcbWords(case.chain.vek_tcb, vek.product),
    )


@answers("snp.vek.chip_id")
def vek_chip_id(case: SnpCase) -> Answer:
    """A VCEK must be the chip's, unless the host masked it; a VLEK is no chip's, so the report may not name one.

    A masked CHIP_ID is for `snp.chip_id.masked` to judge.
    """
    vek, chip_id = case.chain.vek, case.report.chip_id
    if vek is None:
        return no_key(case, chip_id)
    if not any(chip_id):
        return passed("the key's chip, or none named", "none named")
    named = (vek.hwid or b"").ljust(len(chip_id), b"\0")
    return require(named == chip_id, chip_id, named if vek.hwid else "a key of no chip")


@answers("snp.vek.signature")
def vek_signature(case: SnpCase) -> Answer:
    """The intermediate must have signed the endorsement key's certificate."""
    return _signed_by(case, case.chain.intermediate, case.chain.leaf_signature_problem, "the intermediate's signature")


@answers("snp.chain.intermediate")
def chain_intermediate(case: SnpCase) -> Answer:
    """The intermediate must be a CA in AMD's profile."""
    return _signed_by(case, case.chain.intermediate, case.chain.intermediate_problem, "AMD's certificate profile")


@answers("snp.chain.intermediate_signature")
def chain_intermediate_signature(case: SnpCase) -> Answer:
    """The root must have signed the intermediate."""
    return _signed_by(case, case.chain.root, case.chain.intermediate_signature_problem, "the root's signature")


@answers("snp.chain.root")
def chain_root(case: SnpCase) -> Answer:
    """The root must be in AMD's profile and its key pinned, for the product line it names, in a compiled-in set."""
    chain, expected = case.chain, "a root key pinned for its product line"
    if chain.root is None:
        return no_authority(expected, _missing_root(case))
    if chain.root_problem:
        return failed(expected, chain.root_problem)
    return require(chain.root_pinned_in is not None, expected, ("SHA-256 of its key", chain.root_key_sha256))


@answers("snp.chain.root_signature")
def chain_root_signature(case: SnpCase) -> Answer:
    """The root certificate must carry its own key's signature: without it, its dates and flags could be anybody's."""
    return _signed_by(case, case.chain.root, case.chain.root_signature_problem, "the root's own signature")


@answers("snp.chain.trust_set")
def chain_trust_set(case: SnpCase) -> Answer:
    """The root may not be of another trust set than the one the caller named."""
    expected, found = ("not a root of another set than", case.trust.name), case.chain.root_pinned_in
    if case.chain.root is None:
        return no_authority(expected, _missing_root(case))
    return require(found is None or found == case.trust.name, expected, found or "of none")


@answers("snp.chain.product")
def chain_product(case: SnpCase) -> Answer:
    """Root, intermediate and key must be of one product line, and the intermediate one for this kind of key."""
    chain = case.chain
    if chain.vek is None:
        return no_key(case, "one product line")
    if chain.intermediate is None or chain.root is None:
        return no_authority("one product line", _missing_root(case))
    expected = (chain.vek.product, chain.vek.kind)
    holds = chain.intermediate_for == expected and chain.root_product is chain.vek.product
    got = ("root", chain.root_product or "of none", "intermediate", chain.intermediate_for or "of none")
    return require(holds, ("root and intermediate for", expected), got)


@answers("snp.chain.validity")
def chain_validity(case: SnpCase) -> Answer:
    """All three certificates must be valid at the time of the appraisal."""
    now, chain = case.now, case.chain
    if chain.leaf is None:
        return no_key(case, now)
    if chain.intermediate is None or chain.root is None:
        return no_authority(now, _missing_root(case))
    for certificate in (chain.leaf, chain.intermediate, chain.root):
        if not certificate.not_before <= now <= certificate.not_after:
            got = f"valid from {certificate.not_before:%Y-%m-%d} to {certificate.not_after:%Y-%m-%d}"
            return failed(now, got)
    return passed(now, "all valid")


@answers("snp.crl.signature")
def crl_signature(case: SnpCase) -> Answer:
    """There must be a revocation list that the root signed."""
    expected = _AUTHENTIC
    if not case.crls:
        return _no_crl(case, expected)
    problems = [examined.problem for examined in case.crls]
    return passed(expected, expected) if "" in problems else failed(expected, problems[0])


@answers("snp.crl.current")
def crl_current(case: SnpCase) -> Answer:
    """A revocation list must cover the time of the appraisal. One that does not leaves it undecided."""
    if not case.crls:
        return _no_crl(case, case.now)
    lists = _readable(case.crls)
    if not lists:
        return undecided(case.now, Absent(_AUTHENTIC))
    if any(crl.this_update <= case.now <= crl.next_update for crl in lists if crl.next_update):
        return passed(case.now, "current")
    until = lists[-1].next_update or lists[-1].this_update
    return undecided(case.now, f"a list from {lists[-1].this_update:%Y-%m-%d} to {until:%Y-%m-%d}")


@answers("snp.crl.revoked")
def crl_revoked(case: SnpCase) -> Answer:
    """No revocation list that the root signed, however old, may name the intermediate or the root.

    Endorsement keys all have serial number 0, so a list can't name one of them.
    """
    expected = "not revoked"
    lists = _readable(case.every_crl)
    for certificate in (case.chain.intermediate, case.chain.root):
        if certificate and any(certificate.serial in crl.serials for crl in lists):
            return failed(expected, f"serial number {certificate.serial:#x} revoked")
    if not case.crls:
        return _no_crl(case, expected)
    return passed(expected, expected) if _readable(case.crls) else undecided(expected, Absent(_AUTHENTIC))


@answers("snp.crl.rollback")
def crl_rollback(case: SnpCase) -> Answer:
    """The newest list that the root signed may not be older than one seen before; none at all is for other checks."""
    found, marks = case.mark, case.high_water
    if marks is None or found is None:
        return passed("a list as new as any before", "none to compare")
    name, mark = found
    return require(not marks.is_older(name, mark), ("as new as", str(marks.marks.get(name, mark))), str(mark))


@answers("snp.signature.key")
def signature_key(case: SnpCase) -> Answer:
    """The host may not have masked the chip's key."""
    return require(not case.report.key_flags & MASK_CHIP_KEY, "MASK_CHIP_KEY 0", ("flags", case.report.key_flags))


@answers("snp.signature.report")
def signature_report(case: SnpCase) -> Answer:
    """The endorsement key must have signed the bytes received."""
    expected = "the endorsement key's signature"
    if case.chain.key is None:
        return no_key(case, expected)
    report = case.report
    r, s = read_component(report.signature_r), read_component(report.signature_s)
    try:
        verify_p384(case.chain.key, r, s, case.evidence.report[SIGNED])
    except InvalidSignature:
        return failed(expected, "another signature")
    return passed(expected, expected)


def _signed_by(case: SnpCase, issuer: Certificate | None, problem: str, expected: str) -> Answer:
    if case.chain.leaf is None:
        return no_key(case, expected)
    if issuer is None:
        return no_authority(expected, _missing_root(case))
    return failed(expected, problem) if problem else passed(expected, expected)


def _missing_root(case: SnpCase) -> str:
    product = f"SEV-{case.product or '<product>'}"
    if case.signing_key == "VLEK":
        product = f"SEV-VLEK-{case.product or '<product>'}"
    missing = [] if case.chain.intermediate else [product]
    missing += [] if case.chain.root else [f"ARK-{case.product or '<product>'}"]
    return f"certificate {' and '.join(missing)}"


def _readable(crls: tuple[RevocationList, ...]) -> list[CertificateList]:
    """Give the lists that the root signed; where there are none, those that claim it: `snp.crl.signature` says no."""
    authentic = [examined.crl for examined in crls if examined.crl and not examined.problem]
    return authentic or [examined.crl for examined in crls if examined.crl]


def _no_crl(case: SnpCase, expected: object) -> Answer:
    absent = Absent(f"revocation list of {case.product or 'the product line'} for a {case.signing_key}")
    if case.policy.revocation is Revocation.IF_AVAILABLE:
        return Outcome.UNCONSTRAINED, expected, absent
    return undecided(expected, absent)
