"""What the SIMULATED Intel says about a SIMULATED machine: TCB info, QE identity, revocation lists, numbers.

    collateral = Collateral.of(platform, issued)           signed a moment before; everything of default is up to date
    collateral.tcb_info_response                           the bytes that the provisioning service sends
    collateral.rating(platform=TcbStatus.OUT_OF_DATE)      the same machine, said to be out of date
    collateral.revoking_pck(platform)                      its PCK certificate in the CRL
    collateral.with_tcb_info(fmspc=other)                  any field of TCB info, signed
    collateral.rewriting_tcb_info(b'"TDX"', b'"SGX"')      any bytes of it, signed
    collateral.signing(signed_by=key)                      what another key signed
    collateral.with_root_crl(lifetime=timedelta(days=1))   any field of a list, signed

There are two ways to every status. The default TCB info has a level for each: which one a machine gets follows from its
PCESVN, its module's SVN, its quoting enclave's ISVSVN (`SoftwarePlatform.rated`, `SoftwareModule.rated`,
`SoftwarePlatform.with_quoting_enclave`). And `rating` makes other levels for a machine that stays as it is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, TypedDict, Unpack

from cvmproof_formats.pem import write_pem
from cvmproof_formats.tdx import evaluation_numbers as numbers
from cvmproof_formats.tdx import qe_identity as qe
from cvmproof_formats.tdx import tcb_info as tcb
from cvmproof_formats.tdx.evaluation_numbers import EvaluationNumber, EvaluationNumbers
from cvmproof_formats.tdx.hierarchy import Ca
from cvmproof_formats.tdx.qe_identity import QeIdentity
from cvmproof_formats.tdx.tcb_info import ModuleIdentity, PlatformLevel, TcbInfo, TdxModule
from cvmproof_formats.tdx.tcb_level import SvnLevel
from cvmproof_formats.tdx.tcb_status import TcbStatus
from cvmproof_simulator.tdx.ca import CrlChanges, IntelCa, Role
from cvmproof_simulator.tdx.ecdsa import Key
from cvmproof_simulator.tdx.platform import (
    PCESVNS,
    QE_SVNS,
    SIMULATED_COMPONENTS,
    SIMULATED_FMSPC,
    SIMULATED_PCEID,
    SoftwarePlatform,
)
from cvmproof_simulator.tdx.quoting_enclave import QE_PRODUCT, SIMULATED_QE_MRSIGNER
from cvmproof_simulator.tdx.td import LATE_UPDATE_SVN, MODULE_SVNS

EVALUATION_NUMBER: Final = 20
LIFETIME: Final = timedelta(days=30)
"""Of TCB info and identities: Intel's, exactly."""
TDX_COMPONENTS: Final = bytes((5, 0, LATE_UPDATE_SVN)).ljust(16, b"\0")
"""SVNs that the levels ask of TEE_TCB_SVN; the first two count for TDX 1.0 only."""

_CURRENT_DATE = datetime(2026, 8, 12, tzinfo=UTC)
_OLDER_DATE = datetime(2025, 8, 13, tzinfo=UTC)
_MODULE = TdxModule(mrsigner=bytes(48), attributes=bytes(8), attributes_mask=b"\xff" * 8)
_HIGHEST_SVN = 0xFF

ADVISORIES: Final[Mapping[TcbStatus, tuple[str, ...]]] = {
    TcbStatus.UP_TO_DATE: (),
    TcbStatus.SW_HARDENING_NEEDED: ("SIMULATED-SA-00001",),
    TcbStatus.CONFIGURATION_NEEDED: ("SIMULATED-SA-00002",),
    TcbStatus.CONFIGURATION_AND_SW_HARDENING_NEEDED: ("SIMULATED-SA-00001", "SIMULATED-SA-00002"),
    TcbStatus.OUT_OF_DATE: ("SIMULATED-SA-00003",),
    TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED: ("SIMULATED-SA-00002", "SIMULATED-SA-00003"),
    TcbStatus.REVOKED: ("SIMULATED-SA-00004",),
}
"""Of a platform level of that status; modules and quoting enclaves have their own."""
MODULE_ADVISORIES: Final = ("SIMULATED-SA-00010",)
QE_ADVISORIES: Final = ("SIMULATED-SA-00020",)


Rewriting = tuple[tuple[bytes, bytes], ...]
"""Bytes, and what stands in their place before a body is signed."""


class TcbInfoChanges(TypedDict, total=False):
    """The fields of TcbInfo, each optional."""

    issue_date: datetime
    next_update: datetime
    fmspc: bytes
    pce_id: bytes
    evaluation_number: int
    module: TdxModule
    module_identities: tuple[ModuleIdentity, ...]
    levels: Sequence[PlatformLevel]


class QeIdentityChanges(TypedDict, total=False):
    """The fields of QeIdentity, each optional."""

    issue_date: datetime
    next_update: datetime
    evaluation_number: int
    miscselect: bytes
    miscselect_mask: bytes
    attributes: bytes
    attributes_mask: bytes
    mrsigner: bytes
    isvprodid: int
    levels: Sequence[SvnLevel]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Collateral:
    """One state of the SIMULATED Intel's knowledge about one kind of machine; bytes are as they are sent."""

    tcb_info: TcbInfo
    qe_identity: QeIdentity
    ca: Ca
    root_crl_issued: datetime
    pck_crl_issued: datetime
    tcb_info_rewritten: Rewriting = ()
    qe_identity_rewritten: Rewriting = ()
    signed_by: Key | None = None
    """Who signs TCB info and QE identity; None: the TCB signer."""
    signature: bytes | None = None
    """64 bytes instead of a right one."""
    root_crl_changes: CrlChanges = field(default_factory=CrlChanges)
    pck_crl_changes: CrlChanges = field(default_factory=CrlChanges)
    authorities: IntelCa = field(default_factory=IntelCa)

    def __repr__(self) -> str:
        return f"<SIMULATED collateral {self.tcb_info.evaluation_number} for {self.tcb_info.fmspc.hex()}>"

    @classmethod
    def of(cls, platform: SoftwarePlatform, issued: datetime, *, number: int = EVALUATION_NUMBER) -> "Collateral":
        """All that is said about a machine, issued at that moment; `number` is the TCB evaluation data number."""
        return cls(
            tcb_info=simulated_tcb_info(issued, fmspc=platform.fmspc, pce_id=platform.pceid, evaluation_number=number),
            qe_identity=simulated_qe_identity(issued, evaluation_number=number),
            ca=platform.ca,
            root_crl_issued=issued,
            pck_crl_issued=issued,
            authorities=platform.authorities,
        )

    def rating(
        self,
        *,
        platform: TcbStatus = TcbStatus.UP_TO_DATE,
        module: TcbStatus = TcbStatus.UP_TO_DATE,
        quoting_enclave: TcbStatus = TcbStatus.UP_TO_DATE,
    ) -> "Collateral":
        """Other levels, by which machine, module and quoting enclave, up to date by default, have these statuses.

        NOT_SUPPORTED: no level that they reach.
        """
        identities = tuple(
            replace(identity, levels=_svn_levels(module, identity.levels[0].isvsvn, MODULE_ADVISORIES))
            for identity in self.tcb_info.module_identities
        )
        newest = self.tcb_info.levels[0]
        enclave = _svn_levels(quoting_enclave, self.qe_identity.levels[0].isvsvn, QE_ADVISORIES)
        return self.with_tcb_info(
            levels=_platform_levels(platform, newest), module_identities=identities
        ).with_qe_identity(levels=enclave)

    def with_tcb_info(self, **changes: Unpack[TcbInfoChanges]) -> "Collateral":
        """The same with another TCB info."""
        return replace(self, tcb_info=replace(self.tcb_info, **changes))

    def with_qe_identity(self, **changes: Unpack[QeIdentityChanges]) -> "Collateral":
        """The same with another QE identity."""
        return replace(self, qe_identity=replace(self.qe_identity, **changes))

    def with_root_crl(self, **changes: Unpack[CrlChanges]) -> "Collateral":
        """The same with another CRL of the root."""
        return replace(self, root_crl_changes={**self.root_crl_changes, **changes})

    def with_pck_crl(self, **changes: Unpack[CrlChanges]) -> "Collateral":
        """The same with another CRL of the PCK CA."""
        return replace(self, pck_crl_changes={**self.pck_crl_changes, **changes})

    def rewriting_tcb_info(self, old: bytes, new: bytes) -> "Collateral":
        """The same with other bytes in the body of TCB info, wherever these stand; raises ValueError if nowhere."""
        changed = replace(self, tcb_info_rewritten=(*self.tcb_info_rewritten, (old, new)))
        _require_change(old, self.tcb_info_body)
        return changed

    def rewriting_qe_identity(self, old: bytes, new: bytes) -> "Collateral":
        """The same with other bytes in the body of the QE identity; raises ValueError as for TCB info."""
        changed = replace(self, qe_identity_rewritten=(*self.qe_identity_rewritten, (old, new)))
        _require_change(old, self.qe_identity_body)
        return changed

    def signing(self, *, signed_by: Key | None = None, signature: bytes | None = None) -> "Collateral":
        """The same with TCB info and QE identity signed by another key, or with other 64 bytes as signatures."""
        return replace(self, signed_by=signed_by, signature=signature)

    def revoking_pck(self, *platforms: SoftwarePlatform) -> "Collateral":
        """The PCK certificates of these machines, and no others, are revoked."""
        return self.with_pck_crl(revoked=tuple(platform.pck_serial for platform in platforms))

    def revoking_pck_ca(self) -> "Collateral":
        """The PCK CA is revoked, and nothing else of the root's."""
        role: Role = "platform" if self.ca is Ca.PLATFORM else "processor"
        return self.with_root_crl(revoked=(self.authorities.serial(role),))

    def revoking_tcb_signer(self) -> "Collateral":
        """The TCB signer is revoked, and nothing else of the root's."""
        return self.with_root_crl(revoked=(self.authorities.serial("tcb_signing"),))

    @property
    def tcb_info_body(self) -> bytes:
        """The bytes of TCB info that are signed."""
        return _rewritten(tcb.build_tcb_info(self.tcb_info), self.tcb_info_rewritten)

    @property
    def qe_identity_body(self) -> bytes:
        """The bytes of the QE identity that are signed."""
        return _rewritten(qe.build_qe_identity(self.qe_identity), self.qe_identity_rewritten)

    @property
    def tcb_info_response(self) -> bytes:
        """TCB info with its signature."""
        return self._signed(tcb.NAME, self.tcb_info_body)

    @property
    def qe_identity_response(self) -> bytes:
        """QE identity with its signature."""
        return self._signed(qe.NAME, self.qe_identity_body)

    def _signed(self, name: str, body: bytes) -> bytes:
        return self.authorities.sign_json(name, body, signed_by=self.signed_by, signature=self.signature)

    @property
    def root_crl(self) -> bytes:
        """The root's CRL, DER."""
        return self.authorities.root_crl(self.root_crl_issued, **self.root_crl_changes)

    @property
    def pck_crl(self) -> bytes:
        """The PCK CA's CRL, DER."""
        return self.authorities.pck_crl(self.ca, self.pck_crl_issued, **self.pck_crl_changes)

    @property
    def signing_chain(self) -> bytes:
        """TCB signer and root, PEM."""
        return self.authorities.signing_chain

    @property
    def pck_crl_chain(self) -> bytes:
        """PCK CA and root, PEM."""
        return self.authorities.pck_chain(self.ca)

    @property
    def files(self) -> Mapping[str, bytes]:
        """Everything in the forms in which Intel hands it out, by file name."""
        return {
            "simulated-tcb-info.json": self.tcb_info_response,
            "simulated-qe-identity.json": self.qe_identity_response,
            "simulated-tcb-signing.pem": self.signing_chain,
            f"simulated-pck-{self.ca}.crl": self.pck_crl,
            "simulated-intel-root.crl": self.root_crl,
            "simulated-intel-root.pem": write_pem(self.authorities.root),
        }


def simulated_tcb_info(issued: datetime, **changes: Unpack[TcbInfoChanges]) -> TcbInfo:
    """TCB info with a level for each status: which one a machine gets follows from its PCESVN and its module's SVN."""
    info = TcbInfo(
        issue_date=issued,
        next_update=issued + LIFETIME,
        fmspc=SIMULATED_FMSPC,
        pce_id=SIMULATED_PCEID,
        evaluation_number=EVALUATION_NUMBER,
        module=_MODULE,
        # Intel writes the newer version first.
        module_identities=tuple(
            ModuleIdentity(version=version, module=_MODULE, levels=_ladder(svns, MODULE_ADVISORIES))
            for version, svns in sorted(MODULE_SVNS.items(), reverse=True)
        ),
        levels=tuple(
            platform_level(status, pcesvn=svn)
            for status, svn in PCESVNS.items()
            if status is not TcbStatus.NOT_SUPPORTED
        ),
    )
    return replace(info, **changes)


def simulated_qe_identity(issued: datetime, **changes: Unpack[QeIdentityChanges]) -> QeIdentity:
    """The identity of the SIMULATED quoting enclave, with a level for each status: its ISVSVN decides."""
    identity = QeIdentity(
        issue_date=issued,
        next_update=issued + LIFETIME,
        evaluation_number=EVALUATION_NUMBER,
        miscselect=bytes(4),
        miscselect_mask=b"\xff" * 4,
        attributes=b"\x11".ljust(16, b"\0"),
        attributes_mask=bytes.fromhex("fbffffffffffffff0000000000000000"),
        mrsigner=SIMULATED_QE_MRSIGNER,
        isvprodid=QE_PRODUCT,
        levels=_ladder(QE_SVNS, QE_ADVISORIES),
    )
    return replace(identity, **changes)


def simulated_evaluation_numbers(issued: datetime, found: Iterable[int] = (EVALUATION_NUMBER,)) -> EvaluationNumbers:
    """The list of these numbers, the highest first."""
    entries = (
        EvaluationNumber(
            number=number,
            recovery_event_date=_CURRENT_DATE - (EVALUATION_NUMBER - number) * timedelta(days=182),
            tcb_date=_CURRENT_DATE - (EVALUATION_NUMBER - number) * timedelta(days=182),
        )
        for number in sorted(set(found), reverse=True)
    )
    return EvaluationNumbers(issue_date=issued, next_update=issued + LIFETIME, numbers=tuple(entries))


def evaluation_numbers_response(authorities: IntelCa, found: EvaluationNumbers) -> bytes:
    """The list of numbers with its signature."""
    return authorities.sign_json(numbers.NAME, numbers.build_evaluation_numbers(found))


def platform_level(
    status: TcbStatus,
    *,
    pcesvn: int,
    sgx: bytes = SIMULATED_COMPONENTS,
    tdx: bytes = TDX_COMPONENTS,
    advisories: tuple[str, ...] | None = None,
) -> PlatformLevel:
    """A level of a platform; `sgx` and `tdx` are 16 SVNs each, `advisories` None: those that go with the status."""
    return PlatformLevel(
        sgx=sgx,
        pcesvn=pcesvn,
        tdx=tdx,
        tcb_date=_date(status),
        status=status,
        advisories=ADVISORIES[status] if advisories is None else advisories,
    )


def _rewritten(body: bytes, rewriting: Rewriting) -> bytes:
    for old, new in rewriting:
        body = body.replace(old, new)
    return body


def _require_change(old: bytes, body: bytes) -> None:
    if old not in body:
        raise ValueError(f"expected {old!r:.60} in what is signed")


def _platform_levels(status: TcbStatus, newest: PlatformLevel) -> tuple[PlatformLevel, ...]:
    own = replace(newest, status=status, tcb_date=_date(status))
    if status is TcbStatus.UP_TO_DATE:
        return (replace(own, advisories=()),)
    above = replace(newest, pcesvn=newest.pcesvn + 1, status=TcbStatus.UP_TO_DATE, advisories=())
    return (above,) if status is TcbStatus.NOT_SUPPORTED else (above, replace(own, advisories=ADVISORIES[status]))


def _svn_levels(status: TcbStatus, svn: int, advisories: tuple[str, ...]) -> tuple[SvnLevel, ...]:
    if status is TcbStatus.UP_TO_DATE:
        return (SvnLevel(isvsvn=svn, tcb_date=_CURRENT_DATE, status=status),)
    above = SvnLevel(isvsvn=min(svn + 1, _HIGHEST_SVN), tcb_date=_CURRENT_DATE, status=TcbStatus.UP_TO_DATE)
    if status is TcbStatus.NOT_SUPPORTED:
        return (above,)
    return above, SvnLevel(isvsvn=svn, tcb_date=_OLDER_DATE, status=status, advisories=advisories)


def _ladder(svns: Mapping[TcbStatus, int], advisories: tuple[str, ...]) -> tuple[SvnLevel, ...]:
    return tuple(
        SvnLevel(
            isvsvn=svn,
            tcb_date=_date(status),
            status=status,
            advisories=() if status is TcbStatus.UP_TO_DATE else advisories,
        )
        for status, svn in svns.items()
        if status is not TcbStatus.NOT_SUPPORTED
    )


def _date(status: TcbStatus) -> datetime:
    return _CURRENT_DATE if status is TcbStatus.UP_TO_DATE else _OLDER_DATE
