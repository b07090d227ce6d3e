"""What a guest's kernel is answered, in the places of firmware and hypervisor.

    SnpAnswers(machine=SnpMachine(psp=...))       reports, with the chip's certificates as its host has them
    TdxAnswers(machine=TdxMachine(td=...))        TDREPORTs, and quotes of those that this machine made

What a guest asks is untrusted: a question that makes no sense gets the status or error that a real machine has for it,
and nothing raises.
"""

import errno
from dataclasses import dataclass
from typing import Final, Protocol

from cvmproof_formats.errors import Malformed
from cvmproof_formats.snp.certificate_table import ARK, ASK, VCEK, VLEK, TableEntry, build_certificate_table
from cvmproof_formats.snp.product import KeyKind
from cvmproof_formats.tdx.tdreport import read_tdreport
from cvmproof_simulator.guest_requests.frames import PAGE, Kind, ReportRequest, SnpQuestion
from cvmproof_simulator.machines.described import Machine
from cvmproof_simulator.machines.snp import SnpMachine
from cvmproof_simulator.machines.tdx import TdxMachine

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


class Answers(Protocol):
    """Whatever answers a guest's kernel."""

    def answer(self, kind: Kind, question: bytes) -> Reply:
        """Answer a question of the size that its kind has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnpAnswers:
    """A chip and the host around it."""

    machine: SnpMachine

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
        psp = self.machine.psp
        leaf = VCEK if psp.key is KeyKind.VCEK else VLEK
        named = zip((leaf, ASK, ARK), psp.certificates(), strict=True)
        return build_certificate_table(tuple(TableEntry(guid=guid, data=data) for guid, data in named))

    def _respond(self, request: bytes) -> bytes:
        """MSG_REPORT_RSP, up to the end of the report."""
        try:
            asked = ReportRequest.parse(request)
        except Malformed:
            return _response(INVALID_PARAMETER)
        # A guest may ask for its own level and for less privileged ones, which have the higher numbers.
        if not self.machine.vmpl <= asked.vmpl <= LOWEST_PRIVILEGE:
            return _response(INVALID_PARAMETER)
        return _response(0, self.machine.report(asked.user_data, vmpl=asked.vmpl))


@dataclass(frozen=True, slots=True, kw_only=True)
class TdxAnswers:
    """A TD's module and its quoting enclave."""

    machine: TdxMachine

    def answer(self, kind: Kind, question: bytes) -> Reply:
        """Answer TDX's two kinds; EOPNOTSUPP for others, EIO for a TDREPORT that this machine did not make."""
        if kind is Kind.TDREPORT:
            return Reply(payload=self.machine.tdreport(question))
        if kind is Kind.QUOTE:
            return self._quote(question)
        return Reply(error=errno.EOPNOTSUPP)

    def _quote(self, tdreport: bytes) -> Reply:
        try:
            report_data = read_tdreport(tdreport).mac.report_data
        except Malformed:
            return Reply(error=errno.EIO)
        # A processor tells its own reports from others by their MAC; here its own can be made again.
        if tdreport != self.machine.tdreport(report_data):
            return Reply(error=errno.EIO)
        return Reply(payload=self.machine.quote(report_data))


def answers_of(machine: Machine) -> Answers:
    """Answer as a machine of either kind does."""
    return SnpAnswers(machine=machine) if isinstance(machine, SnpMachine) else TdxAnswers(machine=machine)


def _response(status: int, report: bytes = b"") -> bytes:
    return status.to_bytes(4, "little") + len(report).to_bytes(4, "little") + _RESERVED + report
