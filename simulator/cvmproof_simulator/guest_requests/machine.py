"""What a SIMULATED machine answers to its guest's kernel, in the places of firmware and hypervisor.

    SnpMachine(psp=SoftwarePsp(ProductLine.GENOA))          reports, with the chip's certificates as its host has them
    TdxMachine(td=SoftwareTd())                             TDREPORTs, and quotes of those that it made itself

What a guest asks is untrusted: a question that makes no sense is answered by the status or error that a real machine has
for it, and nothing raises.
"""

import errno
from dataclasses import dataclass, field
from typing import Final, Protocol

from cvmproof_formats.errors import Malformed
from cvmproof_formats.snp.certificate_table import ARK, ASK, VCEK, VLEK, TableEntry, build_certificate_table
from cvmproof_formats.snp.product import KeyKind
from cvmproof_formats.tdx.tdreport import read_tdreport
from cvmproof_simulator.guest_requests.frames import PAGE, Kind, ReportRequest, SnpQuestion
from cvmproof_simulator.psp import ReportFields, SoftwarePsp
from cvmproof_simulator.tdx.td import SoftwareTd

LOWEST_PRIVILEGE: Final = 3
"""VMPLs are 0 to 3; AMD 56860, MSG_REPORT_REQ."""
INVALID_PARAMETER: Final = 0x16
"""AMD 56860, MSG_REPORT_RSP, STATUS."""
INVALID_LENGTH: Final = 1 << 32
"""EXITINFO2 of a hypervisor whose certificates need more room; Linux include/uapi/linux/sev-guest.h."""
_RESERVED = bytes(24)  # of MSG_REPORT_RSP, between size and report


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What comes back: the fields of AnswerHead under the same names, and the bytes behind it."""

    payload: bytes = b""
    certificates: bytes = b""
    error: int = 0
    exitinfo2: int = 0
    certificate_pages: int = 0


class Machine(Protocol):
    """Whatever answers a guest."""

    def answer(self, kind: Kind, question: bytes) -> Reply:
        """Answer a question of the size that its kind has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnpMachine:
    """A SIMULATED chip with one guest, and the host around them."""

    psp: SoftwarePsp
    fields: ReportFields = field(default_factory=ReportFields)
    """What its reports say other than an ordinary guest's."""

    def answer(self, kind: Kind, question: bytes) -> Reply:
        """Answer SNP's two kinds; EOPNOTSUPP for others."""
        if kind not in (Kind.SNP_REPORT, Kind.SNP_EXTENDED_REPORT):
            return Reply(error=errno.EOPNOTSUPP)
        try:
            asked = SnpQuestion.parse(question)
        except Malformed:
            return Reply(error=errno.EIO)
        table = self.certificate_table() if kind is Kind.SNP_EXTENDED_REPORT else b""
        pages = -(-len(table) // PAGE)
        if pages > asked.certificate_pages:
            return Reply(exitinfo2=INVALID_LENGTH, certificate_pages=pages)
        return Reply(payload=self._respond(asked.report_request), certificates=table)

    def certificate_table(self) -> bytes:
        """The table that the host hands out: endorsement certificate, ASK or ASVK, ARK."""
        leaf = VCEK if self.psp.key is KeyKind.VCEK else VLEK
        named = zip((leaf, ASK, ARK), self.psp.certificates(), strict=True)
        return build_certificate_table(tuple(TableEntry(guid=guid, data=data) for guid, data in named))

    def _respond(self, request: bytes) -> bytes:
        """MSG_REPORT_RSP, up to the end of the report."""
        try:
            asked = ReportRequest.parse(request)
        except Malformed:
            return _response(INVALID_PARAMETER)
        if asked.vmpl > LOWEST_PRIVILEGE:
            return _response(INVALID_PARAMETER)
        return _response(0, self.psp.report(asked.user_data, **{"vmpl": asked.vmpl, **self.fields}))


@dataclass(frozen=True, slots=True, kw_only=True)
class TdxMachine:
    """A SIMULATED TD, its module and its quoting enclave."""

    td: SoftwareTd
    version: int = 4
    """Of its quotes."""

    def answer(self, kind: Kind, question: bytes) -> Reply:
        """Answer TDX's two kinds; EOPNOTSUPP for others, EIO for a TDREPORT that this machine did not make."""
        if kind is Kind.TDREPORT:
            return Reply(payload=self.td.tdreport(question))
        if kind is Kind.QUOTE:
            return self._quote(question)
        return Reply(error=errno.EOPNOTSUPP)

    def _quote(self, tdreport: bytes) -> Reply:
        try:
            report_data = read_tdreport(tdreport).mac.report_data
        except Malformed:
            return Reply(error=errno.EIO)
        # A processor's MAC tells its own reports from others; here its own can be made again.
        if tdreport != self.td.tdreport(report_data):
            return Reply(error=errno.EIO)
        return Reply(payload=self.td.quote(report_data, version=self.version))


def _response(status: int, report: bytes = b"") -> bytes:
    return status.to_bytes(4, "little") + len(report).to_bytes(4, "little") + _RESERVED + report
