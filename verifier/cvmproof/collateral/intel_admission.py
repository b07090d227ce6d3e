"""What one of Intel's objects must be before it enters the store: under the root key of this trust set, in its profile.

The root's key is compiled in whole, so no root certificate is needed; one that is there must be of that key. As for
AMD's, the appraisal verifies everything again, and dates are the store's question.
"""

from collections.abc import Callable, Sequence

from cvmproof.collateral.admission import expect_fit, refused, refusing
from cvmproof.collateral.intel_keys import (
    AUTHORITY_NAMES,
    Authority,
    EvaluationNumbersKey,
    IntelCertificatesKey,
    IntelCrlKey,
    QeIdentityKey,
    SignedKey,
    TcbInfoKey,
)
from cvmproof.tdx.link import crl_problem, signature_problem, signed_problem
from cvmproof.tdx.profile import authority_problem, name_of, root_problem, signer_problem
from cvmproof.trust import TrustRoots
from cvmproof_formats.errors import Category
from cvmproof_formats.pem import read_pem
from cvmproof_formats.tdx import evaluation_numbers, qe_identity, tcb_info
from cvmproof_formats.tdx.evaluation_numbers import EvaluationNumbers, read_evaluation_numbers
from cvmproof_formats.tdx.hierarchy import ROOT_NAME
from cvmproof_formats.tdx.qe_identity import QeIdentity, read_qe_identity
from cvmproof_formats.tdx.signed_json import read_signed
from cvmproof_formats.tdx.tcb_info import TcbInfo, read_tcb_info
from cvmproof_formats.x509 import Certificate, CertificateList, read_certificate, read_crl

Info = TcbInfo | QeIdentity | EvaluationNumbers

_PROBLEMS: dict[Authority, Callable[[Certificate], str]] = {
    Authority.ROOT: root_problem,
    Authority.PLATFORM: authority_problem,
    Authority.PROCESSOR: authority_problem,
    Authority.TCB_SIGNING: signer_problem,
}


def admit_certificate(certificate: Certificate, trust: TrustRoots) -> Authority:
    """Verify a certificate of one of Intel's authorities, and say whose it is.

    Raises CollateralError: CHAIN (another name or profile, a root key that is not pinned) or SIGNATURE.
    """
    name = name_of(certificate.subject)
    authority = AUTHORITY_NAMES.get(name)
    if authority is None:
        got = f"expected one of {', '.join(AUTHORITY_NAMES)}, got {name!r:.80}"
        raise refused("certificate", Category.CHAIN, got)
    if authority is Authority.ROOT and certificate.spki != trust.intel_root:
        raise refused(name, Category.CHAIN, f"expected the key pinned in the {trust.name} trust set, got another")
    expect_fit(name, _PROBLEMS[authority](certificate))
    algorithm, signature = certificate.signature_algorithm, certificate.signature
    if problem := signature_problem(trust.intel_root, algorithm, signature, certificate.tbs):
        detail = f"under the root key of the {trust.name} trust set: {problem}"
        raise refused(name, Category.SIGNATURE, detail)
    return authority


def admit_certificates(key: IntelCertificatesKey, pem: bytes, trust: TrustRoots) -> tuple[Certificate, ...]:
    """Read and verify certificates of one authority, behind which the root's may stand; that one is not given back.

    Raises CollateralError: MALFORMED, SIZE_LIMIT, CHAIN (others, or in another order) or SIGNATURE.
    """
    with refusing(key):
        found = tuple(read_certificate(der) for der in read_pem(pem))
        authorities = [admit_certificate(certificate, trust) for certificate in found]
    own = found[:-1] if len(found) > 1 and authorities[-1] is Authority.ROOT is not key.authority else found
    if any(authority is not key.authority for authority in authorities[: len(own)]):
        got = ", then ".join(authorities)
        raise refused(key, Category.CHAIN, f"expected {key.authority} and perhaps the root behind it, got {got}")
    return own


def admit_intel_crl(
    key: IntelCrlKey, der: bytes, issuers: Sequence[Certificate], trust: TrustRoots
) -> tuple[CertificateList, Certificate | None]:
    """Read a revocation list and verify that its authority signed it; gives the certificate it was verified under.

    `issuers` are admitted certificates of its authority, none for the root's: its key is compiled in.
    Raises CollateralError: MALFORMED, CHAIN.
    """
    with refusing(key):
        crl = read_crl(der)
        if key.authority is Authority.ROOT:
            expect_fit(key, _root_crl_problem(crl, trust))
            return crl, None
        issuer = next((one for one in issuers if not crl_problem(der, one)), None)
        if issuer is None:
            problems = dict.fromkeys(crl_problem(der, one) for one in issuers)
            raise refused(key, Category.CHAIN, "; ".join(problems) or "its authority's certificate is not at hand")
    return crl, issuer


def admit_signed(key: SignedKey, data: bytes, signers: Sequence[Certificate]) -> tuple[Info, Certificate]:
    """Verify a response, then read it, and see that it is what the key names; gives the certificate of its signer.

    `signers` are admitted certificates. Raises CollateralError: MALFORMED and what else reading raises, SIGNATURE, or
    COLLATERAL_MISMATCH for another FMSPC, number, enclave or technology.
    """
    with refusing(key):
        signed = read_signed(data, _NAMES[type(key)])
        signer = next((one for one in signers if not signed_problem(signed, one.spki)), None)
        if signer is None:
            raise refused(key, Category.SIGNATURE, "expected a signature by the TCB signing key, got one that fails")
        info = _read(key, signed.body)
    return info, signer


def _read(key: SignedKey, body: bytes) -> Info:
    if isinstance(key, TcbInfoKey):
        return _as_wanted(key, read_tcb_info(body))
    if isinstance(key, QeIdentityKey):
        return _as_wanted(key, read_qe_identity(body))
    return read_evaluation_numbers(body)


def _as_wanted(key: TcbInfoKey | QeIdentityKey, info: TcbInfo | QeIdentity) -> TcbInfo | QeIdentity:
    if isinstance(info, TcbInfo) and isinstance(key, TcbInfoKey) and info.fmspc != key.fmspc:
        detail = f"expected this FMSPC, got {info.fmspc.hex().upper()}"
        raise refused(key, Category.COLLATERAL_MISMATCH, detail)
    if type(key.issue) is int and info.evaluation_number != key.issue:
        detail = f"expected evaluation number {key.issue}, got {info.evaluation_number}"
        raise refused(key, Category.COLLATERAL_MISMATCH, detail)
    return info


def _root_crl_problem(crl: CertificateList, trust: TrustRoots) -> str:
    """Say what keeps a list from being the root's, whose certificate need not be at hand."""
    if name_of(crl.issuer) != ROOT_NAME:
        return f"its issuer is {name_of(crl.issuer)!r:.80}, not {ROOT_NAME}"
    critical = [extension.oid for extension in crl.extensions if extension.critical]
    if critical:
        return f"critical extension {critical[0]}"
    if crl.next_update is None:
        return "it does not say when the next one comes"
    return signature_problem(trust.intel_root, crl.signature_algorithm, crl.signature, crl.tbs)


_NAMES = {
    TcbInfoKey: tcb_info.NAME,
    QeIdentityKey: qe_identity.NAME,
    EvaluationNumbersKey: evaluation_numbers.NAME,
}
