"""A SIMULATED TD under a software TDX module: its measurements, its reports, its quotes, its event log.

    td = SoftwareTd()
    td.quote(report_data)                                  a signed quote, version 4
    td.quote(report_data, version=5)                       with the TD 1.5 body
    td.quote(report_data, td_attributes=DEBUG)             any field changed before signing
    td.tdreport(report_data)                               1024 bytes
    td.extend(3, digest)                                   the same TD after RTMR3 was extended
    SoftwareTd(events=boot(command_line="evil=1"))         another boot: other RTMRs, another log
    SoftwareTd(launched_by=SoftwareModule(svn=6))               its module was updated since

The RTMRs follow from the events and from what was extended without an event. Other values are constants:
SIMULATED_MRTD and the like. Intel 348551 (TDX Module ABI), TDREPORT_STRUCT.
"""

import hashlib
import hmac
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Unpack

from cvmproof_formats.tdx.body import TdBody15
from cvmproof_formats.tdx.event_log import RTMRS, Event, EventLog, build_event_log
from cvmproof_formats.tdx.tcb_status import TcbStatus
from cvmproof_formats.tdx.td_attributes import SEPT_VE_DISABLE
from cvmproof_formats.tdx.tdreport import TDX_REPORT_TYPE, ReportMac, TdInfo, TdReport, TeeTcbInfo, part_hash
from cvmproof_formats.tdx.tee_tcb_svn import TeeTcbSvn
from cvmproof_simulator.tdx.boot import SIMULATED_BOOT
from cvmproof_simulator.tdx.platform import SoftwarePlatform
from cvmproof_simulator.tdx.quoting_enclave import BodyFields, QuoteChanges, quote

_log = logging.getLogger(__name__)

SIMULATED_MRTD: Final = hashlib.sha384(b"SIMULATED cvmproof TD").digest()
SIMULATED_XFAM: Final = 0x602E7
"""x87 to AVX-512, PKRU and AMX: the most common one."""
SIMULATED_ATTRIBUTES: Final = SEPT_VE_DISABLE
LATE_UPDATE_SVN: Final = 4
MODULE_1_0: Final = 0
MODULE_1_5: Final = 1
MODULE_2_0: Final = 3

MODULE_SVNS: Final[Mapping[int, Mapping[TcbStatus, int]]] = MappingProxyType(
    {
        MODULE_1_5: MappingProxyType(
            {
                TcbStatus.UP_TO_DATE: 13,
                TcbStatus.OUT_OF_DATE: 6,
                TcbStatus.REVOKED: 2,
                TcbStatus.NOT_SUPPORTED: 1,
            }
        ),
        MODULE_2_0: MappingProxyType(
            {
                TcbStatus.UP_TO_DATE: 7,
                TcbStatus.OUT_OF_DATE: 5,
                TcbStatus.REVOKED: 2,
                TcbStatus.NOT_SUPPORTED: 1,
            }
        ),
    }
)
"""SVN of a TDX module for each status by the SIMULATED TCB info, by its major version; 1.0 has no levels of its own."""

CCEL_SIZE: Final = 64 * 1024
"""Bytes of the log area, filled up with 0xFF."""
_REGISTER_SIZE = 48
_VALID_1_0, _VALID_1_5 = 0x1FF, 0x301FF
_MAC_COVERED = 224  # bytes of REPORTMACSTRUCT
_MAC_SIZE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftwareModule:
    """One SIMULATED TDX module."""

    version: int = MODULE_1_5
    """0: TDX 1.0; 1: 1.5; 3: 2.0."""
    svn: int = MODULE_SVNS[MODULE_1_5][TcbStatus.UP_TO_DATE]
    late_update: int = LATE_UPDATE_SVN

    @classmethod
    def rated(cls, status: TcbStatus, *, version: int = MODULE_1_5) -> "SoftwareModule":
        """The module to which the SIMULATED TCB info gives that status; raises KeyError for others."""
        return cls(version=version, svn=MODULE_SVNS[version][status])

    @property
    def tee_tcb_svn(self) -> bytes:
        """TEE_TCB_SVN, 16 bytes."""
        return TeeTcbSvn.of(module_svn=self.svn, module_version=self.version, late_update=self.late_update).build()

    @property
    def mr_seam(self) -> bytes:
        """MRSEAM, 48 bytes: another one for each version and SVN."""
        return hashlib.sha384(b"SIMULATED TDX module %d.%d" % (self.version, self.svn)).digest()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SoftwareTd:
    """One SIMULATED TD on a SIMULATED machine."""

    platform: SoftwarePlatform = field(default_factory=SoftwarePlatform)
    module: SoftwareModule = field(default_factory=SoftwareModule)
    """The one that runs it now."""
    launched_by: SoftwareModule | None = None
    """The one that launched it; None: the same."""
    td_attributes: int = SIMULATED_ATTRIBUTES
    xfam: int = SIMULATED_XFAM
    mr_td: bytes = SIMULATED_MRTD
    mr_config_id: bytes = bytes(_REGISTER_SIZE)
    mr_owner: bytes = bytes(_REGISTER_SIZE)
    mr_owner_config: bytes = bytes(_REGISTER_SIZE)
    mr_service_td: bytes = bytes(_REGISTER_SIZE)
    events: tuple[Event, ...] = SIMULATED_BOOT
    extensions: tuple[tuple[int, bytes], ...] = ()
    """RTMR and digest (48 bytes) of what was extended after the events, without one."""

    def __repr__(self) -> str:
        return f"<SIMULATED TD: {self.platform!r}, module {self.module.version}.{self.module.svn}>"

    def extend(self, rtmr: int, digest: bytes) -> "SoftwareTd":
        """The same TD after an RTMR was extended by a digest of 48 bytes that no event is about.

        Raises ValueError for another register or length.
        """
        if rtmr not in range(RTMRS) or len(digest) != _REGISTER_SIZE:
            raise ValueError(f"expected RTMR 0 to {RTMRS - 1} and {_REGISTER_SIZE} bytes, got {rtmr}, {len(digest)}")
        return replace(self, extensions=(*self.extensions, (rtmr, digest)))

    def measure(self, *events: Event) -> "SoftwareTd":
        """The same TD after further events, which are in its log."""
        return replace(self, events=self.events + events)

    @property
    def rtmrs(self) -> tuple[bytes, bytes, bytes, bytes]:
        """RTMR0 to RTMR3, 48 bytes each."""
        registers = list(EventLog(events=self.events).replay())
        for rtmr, digest in self.extensions:
            registers[rtmr] = hashlib.sha384(registers[rtmr] + digest).digest()
        first, second, third, fourth = registers
        return first, second, third, fourth

    def event_log(self, *, size: int = CCEL_SIZE, filler: bytes = b"\xff") -> bytes:
        """The event log as firmware leaves it in memory: filled up to `size` bytes."""
        return build_event_log(EventLog(events=self.events), size=size, filler=filler)

    def body(self, report_data: bytes) -> TdBody15:
        """What a quote says about the TD, for 64 bytes of report data."""
        launched_by = self.launched_by or self.module
        rtmr0, rtmr1, rtmr2, rtmr3 = self.rtmrs
        return TdBody15(
            tee_tcb_svn=launched_by.tee_tcb_svn,
            mr_seam=launched_by.mr_seam,
            mr_signer_seam=bytes(_REGISTER_SIZE),
            seam_attributes=0,
            td_attributes=self.td_attributes,
            xfam=self.xfam,
            mr_td=self.mr_td,
            mr_config_id=self.mr_config_id,
            mr_owner=self.mr_owner,
            mr_owner_config=self.mr_owner_config,
            rtmr0=rtmr0,
            rtmr1=rtmr1,
            rtmr2=rtmr2,
            rtmr3=rtmr3,
            report_data=report_data,
            tee_tcb_svn2=self.module.tee_tcb_svn,
            mr_service_td=self.mr_service_td,
        )

    def quote(self, report_data: bytes, *, version: int = 4, **changes: Unpack[QuoteChanges]) -> bytes:
        """A signed quote for 64 bytes of report data, with the given things changed before signing.

        Raises Malformed for a field that does not fit.
        """
        _log.info("SIMULATED quoting enclave signs a quote of version %d", version)
        return quote(self.platform, self.body(report_data), version=version, **changes)

    def tdreport(self, report_data: bytes, **changes: Unpack[BodyFields]) -> bytes:
        """A TDREPORT, 1024 bytes, for 64 bytes of report data, with the given fields changed before hashing.

        Its MAC follows from the platform's secret. Raises Malformed for a field that does not fit.
        """
        body = replace(self.body(report_data), **changes)
        tcb_info, td_info = self._tcb_info(body), _td_info(body)
        mac = ReportMac(
            report_type=TDX_REPORT_TYPE,
            subtype=0,
            version=int(any(body.mr_service_td)),
            cpu_svn=self.platform.cpusvn,
            tee_tcb_info_hash=part_hash(tcb_info),
            tee_info_hash=part_hash(td_info),
            report_data=body.report_data,
            mac=bytes(_MAC_SIZE),
        )
        key = self.platform.derive("report key", _MAC_SIZE)
        mac = replace(mac, mac=hmac.digest(key, mac.build()[:_MAC_COVERED], "sha256"))
        return TdReport(mac=mac, tcb_info=tcb_info, td_info=td_info).build()

    def _tcb_info(self, body: TdBody15) -> TeeTcbInfo:
        knows_current = self.module.version > MODULE_1_0
        return TeeTcbInfo(
            valid=_VALID_1_5 if knows_current else _VALID_1_0,
            tee_tcb_svn=body.tee_tcb_svn,
            mr_seam=body.mr_seam,
            mr_signer_seam=body.mr_signer_seam,
            seam_attributes=body.seam_attributes,
            tee_tcb_svn2=body.tee_tcb_svn2 if knows_current else bytes(16),
        )


def _td_info(body: TdBody15) -> TdInfo:
    return TdInfo(
        td_attributes=body.td_attributes,
        xfam=body.xfam,
        mr_td=body.mr_td,
        mr_config_id=body.mr_config_id,
        mr_owner=body.mr_owner,
        mr_owner_config=body.mr_owner_config,
        rtmr0=body.rtmr0,
        rtmr1=body.rtmr1,
        rtmr2=body.rtmr2,
        rtmr3=body.rtmr3,
        mr_service_td=body.mr_service_td,
    )
