"""One whole case of SEV-SNP evidence in one line, and what the appraisal makes of it.

    Situation().appraise()                                             everything as it should be: accepted
    Situation(report={"policy": 0xB0000}).appraise()                   a debug guest
    Situation(product=ProductLine.MILAN, rules={"vmpls": [1]})         another machine under another policy
    replace(situation, leaf={"serial": 5})                             the same, but for the certificate's serial number

Each field states one thing; what is not stated is as AMD has it. Everything is SIMULATED and the same on each run. The
attacker's keys are those of another product line: public, and no root of this one.
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TypedDict

from cryptography.hazmat.primitives.asymmetric import ec

from cvmproof.appraisal import Appraisal
from cvmproof.appraise import appraise
from cvmproof.claims import SnpClaims
from cvmproof.collateral.collateral import Collateral, Crl
from cvmproof.freshness import ExpectedReportData
from cvmproof.high_water import HighWater, Mark, crl_name
from cvmproof.live import Expectation
from cvmproof.policy.policy import Policy
from cvmproof.policy.reading import builtin_bytes, read_policy
from cvmproof.trust import TrustRoots
from cvmproof_formats.binding import BindingKind, Role, Tee
from cvmproof_formats.errors import Category
from cvmproof_formats.evidence import Evidence
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.tcb import Tcb
from cvmproof_formats.x509 import Extension, read_certificate
from cvmproof_simulator.ca import AmdCa, CaChanges, CertificateChanges
from cvmproof_simulator.keys import CaKeys, checked_in_keys
from cvmproof_simulator.psp import SIMULATED_CSP, ReportFields, SoftwarePsp, derive_key, spki_of
from cvmproof_simulator.rsa_pss import RsaKey, SignatureForm

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ISSUED = datetime(2026, 11, 1, tzinfo=UTC)  # of the revocation list
REPORT_DATA = bytes(range(64))
STRANGER = derive_key(b"a stranger's")

JsonPolicy = dict[str, object]


class VekChanges(TypedDict, total=False):
    """What an endorsement certificate says of its key, each optional."""

    product: ProductLine
    product_name: str
    struct_version: int
    kind: KeyKind
    tcb: Tcb
    hwid: bytes | None
    csp_id: str | None


class CrlChanges(TypedDict, total=False):
    """What a revocation list has, each optional."""

    this_update: datetime
    revoked: tuple[int, ...]
    lifetime: timedelta | None
    issuer: str | None
    signed_by: RsaKey | None
    form: SignatureForm | None
    drop: tuple[str, ...]
    add: tuple[Extension, ...]


class Labels(TypedDict, total=False):
    """What an evidence file says about itself, each optional."""

    binding: BindingKind | None
    role: Role | None
    nonce: bytes | None
    spki: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """A machine, its report, certificates and revocation list; who asks, when, and under which policy."""

    product: ProductLine = ProductLine.GENOA
    key: KeyKind = KeyKind.VCEK
    version: int = 5
    tcb: Tcb | None = None
    csp_id: str = SIMULATED_CSP
    keys: CaKeys | None = None
    """Whose keys the authorities use; None: the ones that the simulated trust set pins."""
    report: ReportFields = field(default_factory=ReportFields)
    report_data: bytes = REPORT_DATA
    signed_by: ec.EllipticCurvePrivateKey | None = None
    signature: tuple[int, int] | None = None
    leaf: CertificateChanges = field(default_factory=CertificateChanges)
    says: VekChanges = field(default_factory=VekChanges)
    """What the leaf says of its key, apart from the truth."""
    intermediate: CaChanges = field(default_factory=CaChanges)
    root: CaChanges = field(default_factory=CaChanges)
    without: frozenset[str] = frozenset()
    """Of "leaf", "intermediate", "root", "crl": what nobody supplied."""
    before: tuple[bytes, ...] = ()
    """Other certificates, supplied before the chain's."""
    after: tuple[bytes, ...] = ()
    """Other certificates, supplied behind the chain's."""
    crl: CrlChanges = field(default_factory=CrlChanges)
    crls: tuple[Crl, ...] = ()
    """Other revocation lists."""
    labels: Labels = field(default_factory=Labels)
    base: str = "genuine"
    revocation: str = "required"
    rules: Mapping[str, object] = field(default_factory=dict)
    """What the policy says of SNP instead of its built-in base."""
    takes_snp: bool = True
    """Whether the policy has rules for SNP; without, it has those for TDX alone."""
    freshness: Expectation = field(default_factory=lambda: ExpectedReportData(REPORT_DATA))
    now: datetime = NOW
    trust: str = "simulated"
    seen_before: timedelta | None = None
    """How much newer than this revocation list the newest was that was ever seen; None: nothing is remembered."""

    @property
    def authorities(self) -> AmdCa:
        """The root and the intermediates, as changed."""
        changed = AmdCa(self.product, self.keys).with_ark(**self.root)
        if self.key is KeyKind.VCEK:
            return changed.with_ask(**self.intermediate)
        return changed.with_asvk(**self.intermediate)

    @property
    def psp(self) -> SoftwarePsp:
        """The machine."""
        return SoftwarePsp(
            self.product, self.key, version=self.version, tcb=self.tcb, csp_id=self.csp_id, ca=self.authorities
        )

    @property
    def signed_report(self) -> bytes:
        """The report, 1184 bytes."""
        return self.psp.report(self.report_data, signed_by=self.signed_by, signature=self.signature, **self.report)

    @property
    def chain(self) -> dict[str, bytes]:
        """The certificates that belong to the report, DER, by what they are."""
        psp, authorities = self.psp, self.authorities
        identity = replace(psp.identity, **self.says)
        return {
            "leaf": authorities.leaf(identity, spki_of(psp.endorsement_key), **self.leaf),
            "intermediate": authorities.intermediate(self.key),
            "root": authorities.ark,
        }

    @property
    def certificates(self) -> tuple[bytes, ...]:
        """Everything supplied, DER."""
        own = tuple(der for name, der in self.chain.items() if name not in self.without)
        return (*self.before, *own, *self.after)

    @property
    def revocation_list(self) -> bytes:
        """The revocation list, DER."""
        changes: CrlChanges = {"this_update": ISSUED, **self.crl}
        return self.authorities.crl(**changes)

    @property
    def collateral(self) -> Collateral:
        """Certificates and revocation lists as the caller has them."""
        own = () if "crl" in self.without else (Crl(der=self.revocation_list),)
        return Collateral(certificates=self.certificates, crls=(*own, *self.crls))

    @property
    def evidence(self) -> Evidence:
        """The report with what its file says about it."""
        return Evidence(tee=Tee.SEV_SNP, report=self.signed_report, **self.labels)

    @property
    def policy(self) -> Policy:
        """The policy."""
        return policy_of(self.base, self.revocation, self.rules) if self.takes_snp else policy_without_snp()

    def appraise(self, *more_policies: Policy) -> Appraisal:
        """Appraise it under its own policy and others."""
        return appraise(
            self.evidence,
            policies=[self.policy, *more_policies],
            trust=TrustRoots.named(self.trust),
            freshness=self.freshness,
            now=self.now,
            collateral=self.collateral,
            high_water=self.high_water,
        )

    @property
    def high_water(self) -> HighWater | None:
        """What is remembered."""
        if self.seen_before is None:
            return None
        pin = hashlib.sha256(read_certificate(self.authorities.ark).spki).digest()
        mark = Mark(number=0, issued=self.crl.get("this_update", ISSUED) + self.seen_before)
        return HighWater(trust=self.trust, marks={f"{crl_name(pin)} {self.key.value.lower()}": mark})


def attackers_keys(product: ProductLine) -> CaKeys:
    """Keys that are no root of this product line."""
    return checked_in_keys(ProductLine.MILAN if product is not ProductLine.MILAN else ProductLine.TURIN)


def policy_of(base: str, revocation: str, rules: Mapping[str, object]) -> Policy:
    """The built-in policy `base` with some rules of its own."""
    return _policy(json.dumps({"extends": f"builtin:{base}", "revocation": revocation, "snp": dict(rules)}).encode())


def policy_without_snp() -> Policy:
    """The built-in policy `genuine` for TDX alone."""
    document = tomllib.loads(builtin_bytes("genuine").decode())
    del document["snp"]
    return _policy(json.dumps(document).encode())


@lru_cache(maxsize=512)
def _policy(document: bytes) -> Policy:
    return read_policy(document, name="situation")


def snp_claims(appraisal: Appraisal) -> SnpClaims:
    """What the report says; of a TD there is none."""
    assert isinstance(appraisal.claims, SnpClaims)
    return appraisal.claims


def ids_of_no(appraisal: Appraisal) -> list[str]:
    """The ids that failed, in order."""
    return [check.id for check in appraisal.failed]


def ids_of_open(appraisal: Appraisal) -> list[str]:
    """The ids that stayed undecided, in order."""
    return [check.id for check in appraisal.undecided]


def categories(appraisal: Appraisal) -> set[Category]:
    """The categories of everything that was not answered with yes."""
    return {check.category for check in (*appraisal.failed, *appraisal.undecided)}
