"""What is measured: one simulated Genoa report under a full policy, and the bare signature checks in it."""

from collections.abc import Callable
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

import cvmproof
from cvmproof import signature
from cvmproof.policy import snp_rules
from cvmproof.signature import load_p384_key, load_rsa_key
from cvmproof.snp import chain, profile, report_answers
from cvmproof_formats import x509
from cvmproof_formats.binding import Tee
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.report import SIGNED, read_report
from cvmproof_formats.snp.signature import read_component
from cvmproof_simulator.psp import SIMULATED_MEASUREMENT, SoftwarePsp

NOW = datetime(2026, 11, 21, tzinfo=UTC)
REPORT_DATA = bytes(range(64))
PSP = SoftwarePsp(ProductLine.GENOA)
REPORT = PSP.report(REPORT_DATA)
CERTIFICATES = PSP.certificates()
CRL = PSP.authorities.crl(this_update=datetime(2026, 11, 1, tzinfo=UTC))
POLICY_TEXT = f'extends = "builtin:recommended"\n[snp]\nmeasurements = ["{SIMULATED_MEASUREMENT.hex()}"]\n'.encode()
POLICY = cvmproof.read_policy(POLICY_TEXT, name="benchmark")
COLLATERAL = cvmproof.Collateral(
    certificates=CERTIFICATES[1:], crls=(cvmproof.Crl(der=CRL, kind=KeyKind.VCEK),)
)  # what a store holds between appraisals
TRUST = cvmproof.TrustRoots.simulated()
FRESHNESS = cvmproof.ExpectedReportData(REPORT_DATA)

# Everything that remembers something of the evidence or its chain. What is left is vocabulary (OIDs) and the policy.
_REMEMBERING = (
    chain.chains_of,
    chain.read_certificate_once,
    chain.revocation_lists,
    chain._link_problem,  # noqa: SLF001 - cold means this too
    chain._examine_crl,  # noqa: SLF001 - as above
    load_p384_key,
    load_rsa_key,
    profile.crl_signing_problem,
    profile.intermediate_problem,
    profile.leaf_problem,
    profile.root_problem,
    profile.vek_identity,
    report_answers._layout_problem,  # noqa: SLF001 - as above
    snp_rules._floor_bytes,  # noqa: SLF001 - as above
    x509.common_name,
    x509._attributes,  # noqa: SLF001 - as above
)


def appraise() -> cvmproof.Appraisal:
    """Appraise bytes that were never seen as these objects before, as they come off a wire."""
    evidence = cvmproof.Evidence(
        tee=Tee.SEV_SNP, report=bytes(bytearray(REPORT)), certificates=(bytes(bytearray(CERTIFICATES[0])),)
    )
    return cvmproof.verify(
        evidence, policies=[POLICY], trust=TRUST, freshness=FRESHNESS, now=NOW, collateral=COLLATERAL
    )


def forget() -> None:
    """Make the next appraisal a cold one."""
    for function in _REMEMBERING:
        function.cache_clear()


def bare_report_signature() -> Callable[[], None]:
    """Give the one signature check of a warm appraisal: P-384 with the key loaded and the signature encoded."""
    report = read_report(REPORT)
    key = load_p384_key(x509.read_certificate(CERTIFICATES[0]).spki)
    encoded = encode_dss_signature(read_component(report.signature_r), read_component(report.signature_s))
    message = REPORT[SIGNED]
    algorithm = signature._ECDSA  # noqa: SLF001 - the same object, so that the floor is the same work
    return lambda: key.verify(encoded, message, algorithm)


def bare_signatures(*, fresh_keys: bool) -> Callable[[], None]:
    """Give all signature checks of a cold appraisal: intermediate, leaf, revocation list, report.

    A root certificate that is known by its bytes needs no check of its own signature, so there is none here. With
    `fresh_keys` the three keys are loaded before every round of checks, as an appraisal that has not seen them must.
    """
    leaf, intermediate, root = (x509.read_certificate(der) for der in CERTIFICATES)
    crl = x509.read_crl(CRL)
    report = read_report(REPORT)
    r, s = read_component(report.signature_r), read_component(report.signature_s)
    message = REPORT[SIGNED]

    def check() -> None:
        if fresh_keys:
            load_p384_key.cache_clear()
            load_rsa_key.cache_clear()
        signature.verify_pss_sha384(root.spki, intermediate.signature, intermediate.tbs)
        signature.verify_pss_sha384(intermediate.spki, leaf.signature, leaf.tbs)
        signature.verify_pss_sha384(root.spki, crl.signature, crl.tbs)
        signature.verify_p384(load_p384_key(leaf.spki), r, s, message)

    return check
