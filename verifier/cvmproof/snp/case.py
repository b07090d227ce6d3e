"""One case of SEV-SNP evidence, everything read that the questions are about."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from cvmproof.claims import SnpClaims
from cvmproof.collateral.collateral import Collateral
from cvmproof.high_water import HighWater, Look, Mark, crl_name
from cvmproof.live import Expectation
from cvmproof.policy.policy import Policy
from cvmproof.policy.snp_rules import SnpRules
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
    high_water: HighWater | None = None
    rules: SnpRules = field(init=False)
    report_data: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.report_data = self.report.report_data
        self.ask_under(self.policy)

    def ask_under(self, policy: Policy) -> None:
        """Let this policy ask from now on; one without rules for SEV-SNP asks nothing that needs them."""
        self.policy = policy
        if policy.snp is not None:
            self.rules = policy.snp

    @property
    def grounds(self) -> tuple[()]:
        """None: every answer about a report is given anew."""
        return ()

    @property
    def root_pinned_in(self) -> str | None:
        """Name the compiled-in trust set that has the root's key, if one does."""
        return self.chain.root_pinned_in

    @property
    def mark(self) -> tuple[str, Mark] | None:
        """Say how new the newest revocation list is that the root signed, under the name of its high-water mark."""
        return _mark(self.crls, self.chain, self.signing_key)

    @property
    def look(self) -> Look:
        """Say, when asked, how new the revocation list is, if it is that of a root of this trust set."""
        mark = self.mark
        trusted = self.chain.root_pinned_in == self.trust.name and not self.chain.root_signature_problem
        seen = (mark,) if mark and trusted else ()
        return lambda: seen

    @property
    def notes(self) -> tuple[str, ...]:
        """Say what was noticed: nothing."""
        return ()

    @property
    def claims(self) -> SnpClaims:
        """Say what the report says."""
        vek = self.chain.vek
        return SnpClaims(
            report=self.report,
            product=self.product,
            part=self.part,
            key=self.signing_key,
            csp_id=vek.csp_id if vek else None,
        )

    def ends(self, _: Sequence[Policy]) -> list[datetime]:
        """Give the ends of the certificates, and of the revocation lists that are current."""
        ends = [c.not_after for c in (self.chain.leaf, self.chain.intermediate, self.chain.root) if c]
        lists = [one.crl for one in self.crls if one.crl and not one.problem]
        # An older list beside the current one shortens nothing.
        ends += [crl.next_update for crl in lists if crl.next_update and crl.this_update <= self.now <= crl.next_update]
        return ends


def read_case(
    evidence: Evidence,
    *,
    policy: Policy,
    trust: TrustRoots,
    collateral: Collateral,
    freshness: Expectation,
    now: datetime,
    high_water: HighWater | None = None,
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
        high_water=high_water,
    )


def _part(report: AttestationReport) -> Part | None:
    if report.version < FIRST_VERSION_WITH_CPUID:
        return None
    return part_of_cpuid(report.cpuid_family, report.cpuid_model, report.cpuid_stepping)


def _product_of_key(chain: Chain) -> ProductLine | None:
    return chain.vek.product if chain.vek else None


@lru_cache(maxsize=256)
def _mark(crls: tuple[RevocationList, ...], chain: Chain, key: KeyKind) -> tuple[str, Mark] | None:
    """Marks go by root and by the kind of key: AMD keeps a list for each."""
    dates = [one.crl.this_update for one in crls if one.crl and not one.problem]
    if not dates:
        return None
    return f"{crl_name(chain.root_key_sha256)} {key.value.lower()}", Mark(number=0, issued=max(dates))
