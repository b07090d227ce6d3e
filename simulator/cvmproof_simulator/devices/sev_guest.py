"""The SIMULATED driver behind /dev/sev-guest and configfs-tsm on an SNP guest.

Follows Linux include/uapi/linux/sev-guest.h and drivers/virt/coco/sev-guest; AMD 56860, MSG_REPORT_REQ, MSG_KEY_REQ;
AMD/GHCB 56421, SNP guest request. As the real one it lets a key go after any failure whose request can't be sent again.
"""

import errno
import hashlib
import struct
from collections import Counter
from dataclasses import dataclass, replace
from typing import Final

from cvmproof_formats.layout import Layout, raw, structure, uint
from cvmproof_formats.snp.certificate_table import (
    ARK,
    ASK,
    ENTRY_SIZE,
    VCEK,
    VLEK,
    TableEntry,
    build_certificate_table,
)
from cvmproof_formats.snp.product import KeyKind
from cvmproof_simulator.devices.faults import FaultKind, Faults
from cvmproof_simulator.devices.memory import Memory
from cvmproof_simulator.devices.nodes import Opened, refusal
from cvmproof_simulator.machines.snp import SnpMachine

# Linux include/uapi/linux/sev-guest.h: _IOWR('S', 0 to 2, struct snp_guest_request_ioctl).
GET_REPORT: Final = 0xC0205300
GET_DERIVED_KEY: Final = 0xC0205301
GET_EXT_REPORT: Final = 0xC0205302
NO_FIRMWARE_CALL: Final = 0xFF
"""exitinfo2 before anything was asked of the firmware."""
VMM_INVALID_LENGTH: Final = 1
VMM_BUSY: Final = 2
PAGE: Final = 4096
CERTIFICATES_LIMIT: Final = 0x4000
"""SEV_FW_BLOB_MAX_SIZE, bytes."""
INVALID_PARAMETER: Final = 0x16
INVALID_KEY: Final = 0x27
HIGHEST_VMPL: Final = 3
_RESPONSE_SIZE: Final = 4000
_KEYS: Final = {0: None, 1: KeyKind.VCEK, 2: KeyKind.VLEK}
_KEY_SELECTION: Final = 3
_KNOWN_GUEST_FIELDS: Final = 0x3F
_U32: Final = 0xFFFFFFFF
_GARBAGE: Final = bytes.fromhex(VCEK.replace("-", "")) + struct.pack("<II", 0xFFFFFF00, 0xFFFFFF00) + bytes(ENTRY_SIZE)


@structure(name="snp_guest_request_ioctl", size=32)
class GuestRequest(Layout):
    """What every ioctl has for an argument."""

    msg_version: int = uint(0, 1)
    padding: bytes = raw(1, 7)
    req_data: int = uint(8, 8)
    resp_data: int = uint(16, 8)
    exitinfo2: int = uint(24, 8)


@structure(name="snp_report_req", size=96)
class ReportRequest(Layout):
    """MSG_REPORT_REQ."""

    user_data: bytes = raw(0, 64)
    vmpl: int = uint(64, 4)
    key_selection: int = uint(68, 4)
    reserved: bytes = raw(72, 24)


@structure(name="snp_ext_report_req", size=112)
class ExtendedReportRequest(Layout):
    """The same, and where certificates go."""

    data: bytes = raw(0, 96)
    certs_address: int = uint(96, 8)
    certs_len: int = uint(104, 4)
    padding: bytes = raw(108, 4)


@structure(name="snp_derived_key_req", size=32)
class DerivedKeyRequest(Layout):
    """MSG_KEY_REQ, version 1."""

    root_key_select: int = uint(0, 4)
    reserved: int = uint(4, 4)
    guest_field_select: int = uint(8, 8)
    vmpl: int = uint(16, 4)
    guest_svn: int = uint(20, 4)
    tcb_version: int = uint(24, 8)


class Refused(OSError):
    """A request that failed, and what the driver says in exitinfo2; `pages` is what certificates need."""

    def __init__(self, number: int, exitinfo2: int, pages: int = 0) -> None:
        error = refusal(number)
        super().__init__(error.errno, error.strerror)
        self.exitinfo2, self.pages = exitinfo2, pages


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What came back: the firmware's status, a report where it is 0, the host's certificate table."""

    status: int
    report: bytes = b""
    stated_size: int = 0
    table: bytes = b""

    def build(self) -> bytes:
        """snp_report_resp, 4000 bytes."""
        return (struct.pack("<II24x", self.status, self.stated_size) + self.report).ljust(_RESPONSE_SIZE, b"\0")


class SevGuestDriver:
    """One driver with its key; its requests are served one after the other."""

    def __init__(self, machine: SnpMachine, faults: Faults, calls: Counter[str]) -> None:
        """Take the guest, what is to fail, and where requests are counted."""
        self.machine = machine
        self._faults, self._calls = faults, calls
        self._key_is_there = True
        self.table = _certificate_table(machine)

    @property
    def vmpl(self) -> int:
        """The level of the kernel, whose key the driver has."""
        return self.machine.vmpl

    def report(self, request: ReportRequest, *, pages: int = 0, extended: bool = False) -> Response:
        """Ask for a report; with `extended` for certificates too, in a buffer of so many pages.

        Raises Refused.
        """
        self._calls["sev-guest.ext-report" if extended else "sev-guest.report"] += 1
        self._send()
        table = self._certificates(pages) if extended else b""
        return replace(self._answer(request), table=table)

    def derived_key(self, request: DerivedKeyRequest) -> bytes:
        """Ask for a key: 64 bytes, the firmware's status and a key of 32 bytes; raises Refused."""
        self._calls["sev-guest.derived-key"] += 1
        self._send()
        status = self._faults.number(FaultKind.SEV_STATUS) or self._key_status(request)
        return struct.pack("<I28x", status) + (bytes(32) if status else self._mix(request))

    def _mix(self, request: DerivedKeyRequest) -> bytes:
        """A key of 32 bytes that follows from the chip, the request and the fields of the guest that it selects."""
        guest = replace(self.machine.psp.fields(bytes(64)), **self.machine.fields)
        fields = (guest.policy.to_bytes(8, "little"), guest.image_id, guest.family_id, guest.measurement)
        selected = (data for bit, data in enumerate(fields) if request.guest_field_select >> bit & 1)
        return hashlib.shake_256(
            b"\0".join((b"SIMULATED derived key", self.machine.psp.chip_secret, request.build(), *selected))
        ).digest(32)

    def _send(self) -> None:
        """Whatever can happen to a request of any kind."""
        faults = self._faults
        if faults.take(FaultKind.SEV_KEY_WIPED):
            self._key_is_there = False
        if not self._key_is_there:
            raise Refused(errno.ENOTTY, NO_FIRMWARE_CALL)
        faults.spend()
        if faults.take(FaultKind.SEV_BUSY):
            raise Refused(errno.EIO, VMM_BUSY << 32)
        if faults.take(FaultKind.SEV_INVALID_LENGTH):
            raise Refused(errno.EIO, VMM_INVALID_LENGTH << 32)
        if (milliseconds := faults.number(FaultKind.SEV_THROTTLED)) is not None:
            faults.spend(milliseconds)
            self._lose_key(errno.ETIMEDOUT, VMM_BUSY << 32)
        if (code := faults.number(FaultKind.SEV_FIRMWARE)) is not None:
            self._lose_key(errno.EIO, code & _U32)
        if (code := faults.number(FaultKind.SEV_VMM)) is not None:
            self._lose_key(errno.EIO, (code & _U32) << 32)
        if (number := faults.number(FaultKind.SEV_ERRNO)) is not None:
            if number == errno.EAGAIN:
                raise Refused(number, 0)
            self._lose_key(number, 0)

    def _lose_key(self, number: int, exitinfo2: int) -> None:
        self._key_is_there = False
        raise Refused(number, exitinfo2)

    def _certificates(self, pages: int) -> bytes:
        table = b"" if self._faults.take(FaultKind.SEV_CERTS_NONE) else self.table
        if self._faults.take(FaultKind.SEV_CERTS_GARBAGE):
            table = _GARBAGE
        needed = -(-len(table) // PAGE)
        if (size := self._faults.number(FaultKind.SEV_CERTS_SIZE)) is not None:
            needed = -(-size // PAGE)
        if self._faults.take(FaultKind.SEV_CERTS_GROW):
            needed = pages + 1
        if pages < needed:
            raise Refused(errno.EIO, VMM_INVALID_LENGTH << 32, needed)
        return table

    def _answer(self, request: ReportRequest) -> Response:
        status = self._faults.number(FaultKind.SEV_STATUS) or self._report_status(request)
        if status:
            return Response(status=status)
        data, vmpl = request.user_data, self._faults.number(FaultKind.SEV_VMPL)
        if self._faults.take(FaultKind.SEV_REPORT_DATA):
            data = hashlib.sha512(data).digest()
        report = self.machine.report(data, vmpl=request.vmpl if vmpl is None else vmpl & _U32)
        size = self._faults.number(FaultKind.SEV_REPORT_SIZE)
        stated = len(report) if size is None else size & _U32
        return Response(status=0, report=report[:stated], stated_size=stated)

    def _report_status(self, request: ReportRequest) -> int:
        """AMD 56860, MSG_REPORT_REQ: a level below the key's own, reserved bits, a key that is not there."""
        if not self.vmpl <= request.vmpl <= HIGHEST_VMPL or request.reserved.strip(b"\0"):
            return INVALID_PARAMETER
        if request.key_selection not in _KEYS:
            return INVALID_PARAMETER
        wanted = _KEYS[request.key_selection & _KEY_SELECTION]
        return 0 if wanted in {None, self.machine.psp.key} else INVALID_KEY

    def _key_status(self, request: DerivedKeyRequest) -> int:
        """AMD 56860, MSG_KEY_REQ: as above; no SVN above that of the launch, no TCB above the committed one."""
        committed = self.machine.psp.reported_tcb.build(self.machine.psp.product)
        asked = request.tcb_version.to_bytes(8, "little")
        fits = (
            self.vmpl <= request.vmpl <= HIGHEST_VMPL
            and request.root_key_select in {0, 1}
            and not request.reserved
            and not request.guest_field_select & ~_KNOWN_GUEST_FIELDS
            and request.guest_svn <= self.machine.fields.get("guest_svn", 0)
            and all(one <= most for one, most in zip(asked, committed, strict=True))
        )
        return 0 if fits else INVALID_PARAMETER


def _certificate_table(machine: SnpMachine) -> bytes:
    leaf, intermediate, root = machine.psp.certificates()
    guids = (VCEK if machine.psp.key is KeyKind.VCEK else VLEK, ASK, ARK)
    entries = zip(guids, (leaf, intermediate, root), strict=True)
    return build_certificate_table(tuple(TableEntry(guid=guid, data=data) for guid, data in entries))


class SevGuest(Opened):
    """/dev/sev-guest while somebody has it open."""

    def __init__(self, driver: SevGuestDriver) -> None:
        """Take the driver that all share."""
        self._driver = driver

    def control(self, command: int, argument: int, memory: Memory) -> int:
        """Answer an ioctl; what is in exitinfo2 in the end is written back where it is not 0."""
        request = GuestRequest.parse(memory.read(argument, GuestRequest.layout_size))
        if not request.msg_version:
            raise refusal(errno.EINVAL)
        try:
            self._serve(command, request, memory)
        except Refused as error:
            self._tell(argument, request, error.exitinfo2, memory)
            raise
        except OSError:
            self._tell(argument, request, NO_FIRMWARE_CALL, memory)
            raise
        return 0

    def _tell(self, argument: int, request: GuestRequest, exitinfo2: int, memory: Memory) -> None:
        if exitinfo2:
            memory.write(argument, replace(request, exitinfo2=exitinfo2).build())

    def _serve(self, command: int, request: GuestRequest, memory: Memory) -> None:
        serving = {GET_REPORT: self._report, GET_DERIVED_KEY: self._derived_key, GET_EXT_REPORT: self._extended}
        if command not in serving:
            raise refusal(errno.ENOTTY)
        if not request.req_data or not request.resp_data:
            raise refusal(errno.EINVAL)
        serving[command](request, memory)

    def _report(self, request: GuestRequest, memory: Memory) -> None:
        asked = ReportRequest.parse(memory.read(request.req_data, ReportRequest.layout_size))
        memory.write(request.resp_data, self._driver.report(asked).build())

    def _derived_key(self, request: GuestRequest, memory: Memory) -> None:
        asked = DerivedKeyRequest.parse(memory.read(request.req_data, DerivedKeyRequest.layout_size))
        memory.write(request.resp_data, self._driver.derived_key(asked))

    def _extended(self, request: GuestRequest, memory: Memory) -> None:
        asked = ExtendedReportRequest.parse(memory.read(request.req_data, ExtendedReportRequest.layout_size))
        size = asked.certs_len if asked.certs_address else 0
        if size > CERTIFICATES_LIMIT or size % PAGE:
            raise refusal(errno.EINVAL)
        try:
            response = self._driver.report(ReportRequest.parse(asked.data), pages=size // PAGE, extended=True)
        except Refused as error:
            if error.exitinfo2 >> 32 == VMM_INVALID_LENGTH:
                memory.write(request.req_data, replace(asked, certs_len=error.pages * PAGE).build())
            raise
        if size:
            memory.write(asked.certs_address, response.table.ljust(size, b"\0")[:size])
        memory.write(request.resp_data, response.build())


def require_report(response: Response) -> bytes:
    """Give the report as configfs-tsm does; raises OSError: EINVAL, ENXIO, ENOMEM.

    Linux drivers/virt/coco/sev-guest/sev-guest.c, sev_report_new.
    """
    if response.status in {INVALID_PARAMETER, INVALID_KEY}:
        raise refusal(errno.EINVAL)
    if response.status:
        raise refusal(errno.ENXIO)
    if response.stated_size + 32 > PAGE:
        raise refusal(errno.ENOMEM)
    return response.report.ljust(response.stated_size, b"\0")
