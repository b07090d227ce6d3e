"""What a case says of the host that the TD runs on: its chain and collateral, its quoting enclave and its TDX module.

All of it is the same in every quote until the host is updated. Neither the TD, nor a signature of the quote, nor the
time stands in it: so what it decides is answered once, and remembered by it.
"""

from dataclasses import dataclass, field
from functools import lru_cache

from cvmproof.policy.policy import Policy
from cvmproof.policy.tdx_rules import TdxRules
from cvmproof.tdx.backing import Backing
from cvmproof.tdx.chain import PckChain
from cvmproof.tdx.tcb import TdRating, rate
from cvmproof_formats.record import maker, record
from cvmproof_formats.tdx.body import CURRENT_TEE_TCB_SVN, ModuleBody
from cvmproof_formats.tdx.pck import PckIdentity
from cvmproof_formats.tdx.qe_identity import QeIdentity
from cvmproof_formats.tdx.qe_report import QE_REPORT_SIZE, REPORT_DATA_SIZE, EnclaveReport
from cvmproof_formats.tdx.quote import Quote
from cvmproof_formats.tdx.tcb_info import TcbInfo

_NO_REPORT_DATA = bytes(REPORT_DATA_SIZE)


@record
class Module:
    """What a quote says of the TDX module: `current` is the TEE_TCB_SVN of now, None where the body does not say."""

    launched_by: ModuleBody
    current: bytes | None


@record(eq=False)
class Host:
    """A host, the same object for the same bytes; `trust` is the trust set that the caller named.

    `enclave` is the report of the quoting enclave without its report data, which is about the attestation key.
    """

    backing: Backing
    trust: str
    enclave: EnclaveReport
    module: Module
    rating: TdRating | None
    """By what is at hand, whether or not its signatures hold: that is for other questions."""


@dataclass(slots=True, kw_only=True)
class HostAsked:
    """What the answers about a host look at; `policy` is the one that asks."""

    host: Host
    policy: Policy
    backing: Backing = field(init=False)
    enclave: EnclaveReport = field(init=False)
    module: Module = field(init=False)
    rating: TdRating | None = field(init=False)
    trust: str = field(init=False)
    chain: PckChain = field(init=False)
    pck: PckIdentity | None = field(init=False)
    """What the PCK certificate says."""
    info: TcbInfo | None = field(init=False)
    identity: QeIdentity | None = field(init=False)
    rules: TdxRules = field(init=False)

    def __post_init__(self) -> None:
        host, backing = self.host, self.host.backing
        self.backing, self.enclave, self.module = backing, host.enclave, host.module
        self.rating, self.trust = host.rating, host.trust
        self.chain, self.pck = backing.chain, backing.chain.identity
        self.info, self.identity = backing.info, backing.identity
        if self.policy.tdx is not None:  # one without rules for TDX asks nothing that needs them
            self.rules = self.policy.tdx


_new_host, _new_module = maker(Host), maker(Module)


def host_of(backing: Backing, quote: Quote, trust: str) -> Host:
    """Give the host of a quote."""
    body, report = quote.body_bytes, quote.qe.signed[: QE_REPORT_SIZE - REPORT_DATA_SIZE]
    return _host(backing, report, body[: ModuleBody.layout_size], body[CURRENT_TEE_TCB_SVN], trust)


def ask_host(host: Host, policy: Policy) -> HostAsked:
    """Let a policy ask about a host."""
    return HostAsked(host=host, policy=policy)


@lru_cache(maxsize=512)
def _host(backing: Backing, report: bytes, about_module: bytes, current: bytes, trust: str) -> Host:
    enclave = EnclaveReport.parse(report + _NO_REPORT_DATA)
    module = _new_module(launched_by=ModuleBody.parse(about_module), current=current or None)
    return _new_host(
        backing=backing,
        trust=trust,
        enclave=enclave,
        module=module,
        rating=_rating(backing, launch=module.launched_by.tee_tcb_svn, current=module.current, qe_svn=enclave.isv_svn),
    )


def _rating(backing: Backing, *, launch: bytes, current: bytes | None, qe_svn: int) -> TdRating | None:
    info, identity, pck = backing.info, backing.identity, backing.chain.identity
    if info is None or identity is None or pck is None:
        return None
    return rate(info, identity, pck, launch=launch, current=current, qe_svn=qe_svn)
