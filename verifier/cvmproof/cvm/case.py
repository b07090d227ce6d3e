"""One CVM before anybody connects: its record, the policies it will be held to, and what was noticed on the way."""

from dataclasses import dataclass, field
from datetime import datetime

from cvmproof.appraisal import Appraisal
from cvmproof.channel.address import AddressRules
from cvmproof.claims import SnpClaims
from cvmproof.cvm.agent_url import RULES, agent_url
from cvmproof.cvm.fetched import FetchedPolicy, Vouching, read_fetched
from cvmproof.cvm.finding import Finding, contradictions, looser_than_floors, policy_changed
from cvmproof.cvm.whose_word import require_word
from cvmproof.marks import AnyIdentity, CvmKey, Identity, Marks, TdxIdentity
from cvmproof.policy.pinning import pin_policy
from cvmproof.policy.policy import Authority, Policy
from cvmproof.prism.cvm import Cvm


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """What an operator demands of CVMs that an API lists.

    `policy` takes the place of the fetched one; `floors` and `pins` must accept as well. `marks` are what is remembered
    between runs: serials of signed policies, digests of others, and with `pin_first_use` which machine it was then.
    """

    marks: Marks = field(default_factory=Marks.default)
    policy: Policy | None = None
    floors: tuple[Policy, ...] = ()
    pins: tuple[Policy, ...] = ()
    vouching: Vouching = field(default_factory=Vouching)
    trust_control_plane: bool = False
    any_software: bool = False
    pin_first_use: bool = False
    rules: AddressRules = RULES


@dataclass(frozen=True, slots=True, kw_only=True)
class CvmCase:
    """What is known of a CVM before its agent is asked; `findings` come from its record and its policy."""

    cvm: Cvm
    url: str
    policies: tuple[Policy, ...]
    fetched: FetchedPolicy | None
    findings: tuple[Finding, ...]
    key: CvmKey
    first_use: bool

    def findings_with(self, appraisal: Appraisal) -> tuple[Finding, ...]:
        """Give every finding, those that evidence has added among them."""
        return (*self.findings, *contradictions(self.cvm, appraisal))


def open_case(cvm: Cvm, policy: bytes, demands: Demands, *, key: CvmKey, now: datetime) -> CvmCase:
    """Make a case of a record and the bytes of its policy, which are not looked at if the operator gave another.

    Raises EndpointError for a CVM without a usable agent_url, Misuse for a policy that is not taken (ROLLBACK among
    the categories), or for software that is the control plane's word alone.
    """
    url = agent_url(cvm)
    fetched = None if demands.policy is not None else _fetched(cvm, policy, demands, now)
    asked = demands.policy or (fetched.policy if fetched else None)
    policies = (*((asked,) if asked else ()), *demands.floors, *demands.pins)
    require_word(policies, trust_control_plane=demands.trust_control_plane, any_software=demands.any_software)
    findings = _noticed(fetched, demands, key) if fetched else ()
    known = demands.marks.identity(key) if demands.pin_first_use else None
    if known is not None:
        policies = (*policies, _first_use_policy(known))
    return CvmCase(
        cvm=cvm,
        url=url,
        policies=policies,
        fetched=fetched,
        findings=findings,
        key=key,
        first_use=demands.pin_first_use and known is None,
    )


def remember_accepted(case: CvmCase, appraisal: Appraisal, marks: Marks) -> None:
    """Remember what was accepted: the policy that nobody signed, and, at the first use, which machine it was.

    Raises AnotherMachine if another one was registered since the case was opened.
    """
    appraisal.require_accepted(appraisal.appraised_at)
    if case.fetched is not None and case.fetched.statement is None:
        marks.note_policy(case.key, case.fetched.digest)
    if case.first_use:
        marks.register(case.key, _identity_of(appraisal))


def _identity_of(appraisal: Appraisal) -> AnyIdentity:
    claims = appraisal.claims
    if isinstance(claims, SnpClaims):
        return Identity(chip_id=claims.report.chip_id, report_id=claims.report.report_id)
    return TdxIdentity(ppid=claims.pck.ppid if claims.pck else b"")


def _fetched(cvm: Cvm, policy: bytes, demands: Demands, now: datetime) -> FetchedPolicy:
    return read_fetched(policy, cvm_id=cvm.id, name=f"prism:{cvm.id}", vouching=demands.vouching, now=now)


def _noticed(fetched: FetchedPolicy, demands: Demands, key: CvmKey) -> tuple[Finding, ...]:
    """Refuse an older signed policy than before, and notice that an unsigned one has changed."""
    looser = looser_than_floors(fetched.policy, demands.floors)
    statement = fetched.statement
    if statement is None:
        return (*policy_changed(demands.marks.policy_digest(key), fetched.digest), *looser)
    demands.marks.require_serial(key, statement.serial, fetched.policy.digest, statement.key_id)
    return looser


def _first_use_policy(known: AnyIdentity) -> Policy:
    name, authority = "--pin first-use", Authority.FIRST_USE
    if isinstance(known, TdxIdentity):
        return pin_policy(name=name, authority=authority, ppids=[known.ppid])
    chip_ids = [known.chip_id] if any(known.chip_id) else []
    return pin_policy(name=name, authority=authority, chip_ids=chip_ids, report_ids=[known.report_id])
