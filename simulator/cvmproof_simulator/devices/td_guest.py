"""The SIMULATED TD that all of its interfaces share: what one of them extends, the others report.

Follows Intel 348551, TDG.MR.REPORT and TDG.MR.RTMR.EXTEND; the quoting enclave takes TDREPORTs of its own machine only.
"""

import errno
import hashlib
import hmac
from collections import Counter
from dataclasses import replace
from typing import Final

from cvmproof_formats.errors import Malformed
from cvmproof_formats.tdx.body import TdBody15
from cvmproof_formats.tdx.tdreport import TdReport, read_tdreport
from cvmproof_simulator.devices.faults import FaultKind, Faults
from cvmproof_simulator.devices.nodes import refusal
from cvmproof_simulator.machines.tdx import TdxMachine
from cvmproof_simulator.tdx.quoting_enclave import quote

_MAC: Final = slice(224, 256)
_MAC_COVERED: Final = slice(0, 224)


class TdGuest:
    """One TD while it runs."""

    def __init__(self, machine: TdxMachine, faults: Faults, calls: Counter[str]) -> None:
        """Take the TD as it booted, what is to fail, and where requests are counted."""
        self.machine = machine
        self._faults, self._calls = faults, calls

    def tdreport(self, report_data: bytes) -> bytes:
        """Give a TDREPORT of 1024 bytes; raises OSError."""
        self._calls["tdx-guest.report"] += 1
        self._fail()
        if self._faults.take(FaultKind.TDX_REPORT_DATA):
            report_data = hashlib.sha512(report_data).digest()
        report = self.machine.tdreport(report_data)
        return b"\0" + report[1:] if self._faults.take(FaultKind.TDX_REPORT_TYPE) else report

    def quote(self, report_data: bytes) -> bytes:
        """Give a quote, as the host's service does for the kernel."""
        self._calls["tdx-guest.quote"] += 1
        self._faults.spend()
        return self.machine.quote(report_data)

    def quote_by_ioctl(self, report_data: bytes) -> bytes:
        """The same where a program asked the driver itself; raises OSError."""
        self._fail()
        if self._faults.take(FaultKind.TDX_REPORT_DATA):
            report_data = hashlib.sha512(report_data).digest()
        return self.quote(report_data)

    def quote_report(self, report: bytes) -> bytes:
        """Give the quote of a TDREPORT of 1024 bytes, as a quoting enclave does.

        Raises Malformed for one that is none, or that another machine made.
        """
        self._calls["qgs.quote"] += 1
        self._faults.spend()
        read = read_tdreport(report)
        platform = self.machine.td.platform
        expected = hmac.digest(platform.derive("report key", 32), report[_MAC_COVERED], "sha256")
        if not hmac.compare_digest(expected, report[_MAC]):
            raise Malformed("TDREPORT: its MAC is not of this machine")
        return quote(platform, _body(read), version=self.machine.version)

    def register(self, rtmr: int) -> bytes:
        """Give a measurement register, 48 bytes."""
        return self.machine.td.rtmrs[rtmr]

    def extend(self, rtmr: int, digest: bytes) -> None:
        """Extend one by a digest of 48 bytes; raises OSError."""
        self._calls["rtmr.extend"] += 1
        self._faults.spend()
        if (number := self._faults.number(FaultKind.RTMR_ERRNO)) is not None:
            raise refusal(number)
        if self._faults.take(FaultKind.RTMR_LOST):
            return
        try:
            td = self.machine.td.extend(rtmr, digest)
        except ValueError as error:
            raise refusal(errno.EINVAL) from error
        self.machine = replace(self.machine, td=td)

    def _fail(self) -> None:
        self._faults.spend()
        if (number := self._faults.number(FaultKind.TDX_ERRNO)) is not None:
            raise refusal(number)


def _body(report: TdReport) -> TdBody15:
    """What a quote says of a TD, out of its TDREPORT."""
    module, td = report.tcb_info, report.td_info
    return TdBody15(
        tee_tcb_svn=module.tee_tcb_svn,
        mr_seam=module.mr_seam,
        mr_signer_seam=module.mr_signer_seam,
        seam_attributes=module.seam_attributes,
        td_attributes=td.td_attributes,
        xfam=td.xfam,
        mr_td=td.mr_td,
        mr_config_id=td.mr_config_id,
        mr_owner=td.mr_owner,
        mr_owner_config=td.mr_owner_config,
        rtmr0=td.rtmr0,
        rtmr1=td.rtmr1,
        rtmr2=td.rtmr2,
        rtmr3=td.rtmr3,
        report_data=report.mac.report_data,
        tee_tcb_svn2=module.current_tee_tcb_svn or module.tee_tcb_svn,
        mr_service_td=td.mr_service_td,
    )
