"""One whole case of TDX evidence in one line, and what the appraisal makes of it.

    Situation().appraise()                                             everything as it should be: accepted
    Situation(quote={"td_attributes": DEBUG}).appraise()               a TD under debug
    Situation(version=5, launched_by=SoftwareModule(svn=6)).appraise() its module was updated since it was launched
    Situation(rating={"platform": TcbStatus.OUT_OF_DATE}).appraise()   the same machine, said to be out of date
    replace(situation, pck={"serial": 5})                              the same, but for the certificate's serial number

Each field states one thing; what is not stated is as Intel has it. Everything is SIMULATED and the same on each run.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TypedDict

from tests.verifier.snp.situation import Labels, categories, ids_of_no, ids_of_open

from cvmproof.appraisal import Appraisal, Verdict
from cvmproof.appraise import appraise
from cvmproof.check import Check
from cvmproof.claims import TdxClaims
from cvmproof.collateral.collateral import Collateral
from cvmproof.freshness import ExpectedReportData
from cvmproof.high_water import HighWater
from cvmproof.live import Expectation
from cvmproof.policy.policy import Policy
from cvmproof.policy.reading import builtin_bytes, read_policy
from cvmproof.trust import TrustRoots
from cvmproof_formats.binding import Tee
from cvmproof_formats.errors import Category
from cvmproof_formats.evidence import Evidence
from cvmproof_formats.tdx import qe_identity, tcb_info
from cvmproof_formats.tdx.hierarchy import Ca
from cvmproof_formats.tdx.pck import SgxType
from cvmproof_formats.tdx.signed_json import Signed, read_signed
from cvmproof_formats.tdx.tcb_status import TcbStatus
from cvmproof_simulator.keys.intel import IntelKeys
from cvmproof_simulator.psp import derive_key
from cvmproof_simulator.tdx.ca import CertificateChanges, CrlChanges, IntelCa
from cvmproof_simulator.tdx.collateral import EVALUATION_NUMBER, QeIdentityChanges, Rewriting, TcbInfoChanges
from cvmproof_simulator.tdx.collateral import Collateral as IntelCollateral
from cvmproof_simulator.tdx.ecdsa import Key
from cvmproof_simulator.tdx.platform import SoftwarePlatform, chain
from cvmproof_simulator.tdx.quoting_enclave import QuoteChanges
from cvmproof_simulator.tdx.td import SoftwareModule, SoftwareTd

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ISSUED = datetime(2026, 11, 1, tzinfo=UTC)  # of all that Intel signs
REPORT_DATA = bytes(range(64))
STRANGER = derive_key(b"a stranger's", curve="P-256")
ATTACKER = IntelKeys(
    root=derive_key(b"an attacker's root", curve="P-256"),
    platform=derive_key(b"an attacker's platform CA", curve="P-256"),
    processor=derive_key(b"an attacker's processor CA", curve="P-256"),
    tcb_signing=derive_key(b"an attacker's TCB signing", curve="P-256"),
)


class MachineChanges(TypedDict, total=False):
    """What a machine can be else than the ordinary one, each optional."""

    secret: bytes
    fmspc: bytes
    pceid: bytes
    components: bytes
    pcesvn: int
    cpusvn: bytes
    sgx_type: SgxType
    dynamic_platform: bool
    cached_keys: bool
    smt_enabled: bool
    qe_svn: int


class Statuses(TypedDict, total=False):
    """What Intel says of the parts, each optional; all are up to date otherwise."""

    platform: TcbStatus
    module: TcbStatus
    quoting_enclave: TcbStatus


class ListChanges(CrlChanges, total=False):
    """What a revocation list has, each optional."""

    this_update: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """A TD, its quote, and all that Intel says about its machine; who asks, when, and under which policy."""

    version: int = 4
    ca: Ca = Ca.PLATFORM
    keys: IntelKeys | None = None
    """Whose keys the authorities use; None: the ones that the simulated trust set pins."""
    machine: MachineChanges = field(default_factory=MachineChanges)
    module: SoftwareModule = field(default_factory=SoftwareModule)
    launched_by: SoftwareModule | None = None
    quote: QuoteChanges = field(default_factory=QuoteChanges)
    report_data: bytes = REPORT_DATA
    pck: CertificateChanges = field(default_factory=CertificateChanges)
    authority: CertificateChanges = field(default_factory=CertificateChanges)
    """The CA that issued the PCK certificate."""
    root: CertificateChanges = field(default_factory=CertificateChanges)
    signer: CertificateChanges = field(default_factory=CertificateChanges)
    number: int = EVALUATION_NUMBER
    rating: Statuses | None = None
    """None: Intel's levels of each kind, by which machine, module and enclave are rated as they are."""
    tcb_info: TcbInfoChanges = field(default_factory=TcbInfoChanges)
    tcb_info_rewritten: Rewriting = ()
    tcb_info_signed_by: Key | None = None
    qe_identity: QeIdentityChanges = field(default_factory=QeIdentityChanges)
    qe_identity_rewritten: Rewriting = ()
    qe_identity_signed_by: Key | None = None
    root_crl: ListChanges = field(default_factory=ListChanges)
    pck_crl: ListChanges = field(default_factory=ListChanges)
    without: frozenset[str] = frozenset()
    """Of "signer", "root_crl", "pck_crl", "tcb_info", "qe_identity": what nobody supplied."""
    before: Collateral = field(default_factory=Collateral)
    """Other collateral, supplied before this."""
    after: Collateral = field(default_factory=Collateral)
    """Other collateral, supplied behind this."""
    labels: Labels = field(default_factory=Labels)
    base: str = "genuine"
    revocation: str = "required"
    rules: Mapping[str, object] = field(default_factory=dict)
    """What the policy says of TDX instead of its built-in base."""
    takes_tdx: bool = True
    """Whether the policy has rules for TDX; without, it has those for SNP alone."""
    freshness: Expectation = field(default_factory=lambda: ExpectedReportData(REPORT_DATA))
    now: datetime = NOW
    trust: str = "simulated"
    high_water: HighWater | None = None

    @property
    def authorities(self) -> IntelCa:
        """Root, PCK CAs and TCB signer, as changed."""
        changed = IntelCa(self.keys).with_root(**self.root).with_tcb_signing(**self.signer)
        if self.ca is Ca.PLATFORM:
            return changed.with_platform(**self.authority)
        return changed.with_processor(**self.authority)

    @property
    def platform(self) -> SoftwarePlatform:
        """The machine."""
        return SoftwarePlatform(ca=self.ca, authorities=self.authorities, **self.machine)

    @property
    def certificates(self) -> tuple[bytes, bytes, bytes]:
        """PCK certificate, PCK CA and root, DER, as the quote carries them."""
        return self.platform.certificates(**self.pck)

    @property
    def signed_quote(self) -> bytes:
        """The quote."""
        td = SoftwareTd(platform=self.platform, module=self.module, launched_by=self.launched_by)
        changes: QuoteChanges = {"pck_chain": chain(*self.certificates), **self.quote}
        return td.quote(self.report_data, version=self.version, **changes)

    @property
    def intel(self) -> IntelCollateral:
        """What Intel says."""
        said = IntelCollateral.of(self.platform, ISSUED, number=self.number)
        if self.rating is not None:
            said = said.rating(**self.rating)
        return said.with_tcb_info(**self.tcb_info).with_qe_identity(**self.qe_identity)

    @property
    def signed_tcb_info(self) -> Signed:
        """TCB info with its signature."""
        body = _rewritten(self.intel.tcb_info_body, self.tcb_info_rewritten)
        return self._signed(tcb_info.NAME, body, self.tcb_info_signed_by)

    @property
    def signed_qe_identity(self) -> Signed:
        """QE identity with its signature."""
        body = _rewritten(self.intel.qe_identity_body, self.qe_identity_rewritten)
        return self._signed(qe_identity.NAME, body, self.qe_identity_signed_by)

    def _signed(self, name: str, body: bytes, signed_by: Key | None) -> Signed:
        return read_signed(self.authorities.sign_json(name, body, signed_by=signed_by), name)

    @property
    def roots_list(self) -> bytes:
        """The root's revocation list, DER."""
        changes: ListChanges = {"this_update": ISSUED, **self.root_crl}
        return self.authorities.root_crl(**changes)

    @property
    def pck_list(self) -> bytes:
        """The PCK CA's revocation list, DER."""
        changes: ListChanges = {"this_update": ISSUED, **self.pck_crl}
        return self.authorities.pck_crl(self.ca, **changes)

    @property
    def collateral(self) -> Collateral:
        """All that the caller has."""
        there = {"signer", "root_crl", "pck_crl", "tcb_info", "qe_identity"} - self.without
        lists = {"root_crl": self.roots_list, "pck_crl": self.pck_list}
        own = Collateral(
            certificates=(self.authorities.tcb_signing,) if "signer" in there else (),
            intel_crls=tuple(der for name, der in lists.items() if name in there),
            tcb_infos=(self.signed_tcb_info,) if "tcb_info" in there else (),
            qe_identities=(self.signed_qe_identity,) if "qe_identity" in there else (),
        )
        return self.before.merged(own, self.after)

    @property
    def evidence(self) -> Evidence:
        """The quote with what its file says about it."""
        return Evidence(tee=Tee.TDX, report=self.signed_quote, **self.labels)

    @property
    def policy(self) -> Policy:
        """The policy."""
        return policy_of(self.base, self.revocation, self.rules) if self.takes_tdx else policy_without_tdx()

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


def later(**by: float) -> datetime:
    """So long after `NOW`: seconds=, days= and the like."""
    return NOW + timedelta(**by)


def policy_of(base: str, revocation: str, rules: Mapping[str, object]) -> Policy:
    """The built-in policy `base` with some rules of its own."""
    return _policy(json.dumps({"extends": f"builtin:{base}", "revocation": revocation, "tdx": dict(rules)}).encode())


def policy_without_tdx() -> Policy:
    """The built-in policy `genuine` for SNP alone."""
    document = tomllib.loads(builtin_bytes("genuine").decode())
    del document["tdx"]
    return _policy(json.dumps(document).encode())


@lru_cache(maxsize=512)
def _policy(document: bytes) -> Policy:
    return read_policy(document, name="situation")


def _rewritten(body: bytes, rewriting: Rewriting) -> bytes:
    for old, new in rewriting:
        assert old in body
        body = body.replace(old, new)
    return body


def assert_accepted(situation: Situation) -> None:
    """It is accepted; if not, pytest says why."""
    appraisal = situation.appraise()
    assert ids_of_no(appraisal) + ids_of_open(appraisal) == []
    assert appraisal.verdict is Verdict.ACCEPTED


def assert_refused(situation: Situation, category: Category, *questions: str) -> None:
    """It is rejected by these questions and no others, in this category."""
    appraisal = situation.appraise()
    assert appraisal.verdict is Verdict.REJECTED
    assert (ids_of_no(appraisal), ids_of_open(appraisal)) == (list(questions), [])
    assert categories(appraisal) == {category}


def assert_undecided(situation: Situation, category: Category, *questions: str) -> None:
    """It is left undecided by these questions and no others, in this category."""
    appraisal = situation.appraise()
    assert appraisal.verdict is Verdict.UNDECIDED
    assert (ids_of_no(appraisal), ids_of_open(appraisal)) == ([], list(questions))
    assert categories(appraisal) == {category}


def check_of(situation: Situation, question: str) -> Check:
    """The check of one question, asked once."""
    (found,) = (check for check in situation.appraise().checks if check.id == question)
    return found


def claims_of(situation: Situation) -> TdxClaims:
    """What the appraisal says that the quote says."""
    claims = situation.appraise().claims
    assert isinstance(claims, TdxClaims)
    return claims
