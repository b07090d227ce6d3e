"""One case of SEV-SNP evidence, everything read that the questions are about."""

from dataclasses import dataclass
from datetime import datetime

from cvmproof.collateral.collateral import Collateral
from cvmproof.live import Expectation
from cvmproof.policy.policy import Policy
from cvmproof.snp.chain import Chain, RevocationList, choose_chain, revocation_lists
from cvmproof.trust import TrustRoots
from cvmproof_formats.evidence import Evidence
from cvmproof_formats.snp.product import KeyKind, Part, ProductLine, part_of_cpuid
from cvmproof_formats.snp.report import FIRST_VERSION_WITH_CPUID, AttestationReport, read_report


@dataclass(slots=True, kw_only=True)
class SnpCase:
    """What the answers look at. `product` and `part` are what the report says of its CPU (version 3 and later).

    A version 2 report does not say: its product line is the endorsement key's, and its part stays unknown. `policy` is
    the one that asks at the moment.
    """

    evidence: Evidence
    report: AttestationReport
    signing_key: KeyKind
    part: Part | None
    product: ProductLine | None
    chain: Chain
    crls: tuple[RevocationList, ...]
    every_crl: tuple[RevocationList, ...]
    trust: TrustRoots
    freshness: Expectation
    now: datetime
    policy: Policy


def read_case(
    evidence: Evidence,
    *,
    policy: Policy,
    trust: TrustRoots,
    collateral: Collateral,
    freshness: Expectation,
    now: datetime,
) -> SnpCase:
    """Read a report and choose the chain to examine.

    Raises Malformed, with category UNSUPPORTED for a report version or a CPU that is not known here.
    """
    report = read_report(evidence.report)
    part = _part(report)
    chain = choose_chain(evidence.certificates + collateral.certificates, evidence.report, report, trust=trust, now=now)
    return SnpCase(
        evidence=evidence,
        report=report,
        signing_key=report.signing_key,
        part=part,
        product=part.product if part else _product_of_key(chain),
        chain=chain,
        crls=revocation_lists(collateral.crls, report.signing_key, chain.root),
        every_crl=revocation_lists(collateral.crls, None, chain.root),
        trust=trust,
        freshness=freshness,
        now=now,
        policy=policy,
    )


def _part(report: AttestationReport) -> Part | None:
    if report.version < FIRST_VERSION_WITH_CPUID:
        return None
    return part_of_cpuid(report.cpuid_family, report.cpuid_model, report.cpuid_stepping)


def _product_of_key(chain: Chain) -> ProductLine | None:
    return chain.vek.product if chain.vek else None
