"""configfs-tsm as programs see it: entries that are made, filled and read.

Follows Linux Documentation/ABI/testing/configfs-tsm-report, drivers/virt/coco/tsm.c and fs/configfs. One thing can't be
as in the kernel: a write of no bytes to inblob, EFAULT there, never gets here.
"""

import errno
import hashlib
import struct
import uuid
from collections import Counter
from typing import Final, Protocol

from cvmproof_formats.snp.certificate_table import ENTRY_SIZE
from cvmproof_simulator.devices.faults import FaultKind, Faults
from cvmproof_simulator.devices.nodes import File, Folder, Node, Opened, blob, line, refusal, text
from cvmproof_simulator.devices.sev_guest import (
    CERTIFICATES_LIMIT,
    HIGHEST_VMPL,
    PAGE,
    ReportRequest,
    SevGuestDriver,
    require_report,
)
from cvmproof_simulator.devices.td_guest import TdGuest

INBLOB_LIMIT: Final = 64  # bytes, TSM_INBLOB_MAX
_UINT = 1 << 32
# Coconut-SVSM and AMD 58019 (SVSM) 7.1: GUIDs of the services manifest and of the vTPM in it.
_MANIFEST: Final = uuid.UUID("63849ebb-3d92-4670-a1ff-58f9c94b87bb")
_VTPM: Final = uuid.UUID("c476f1eb-0123-45a5-9641-b4e7dde5bfe3")
_MANIFEST_HEADER = struct.Struct("<16sII")
_MANIFEST_ENTRY = struct.Struct("<16sII")
SVSM: Final = "svsm"


class Wanted:
    """What was written into an entry."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.inblob = b""
        self.privlevel = 0
        self.service_provider = ""
        self.service_guid = uuid.UUID(int=0)
        self.service_manifest_version = 0


Blobs = dict[str, bytes]
"""outblob, and what else there is."""


class Provider(Protocol):
    """What registers with configfs-tsm."""

    name: str
    floor: int
    attributes: frozenset[str]
    """What entries have beside inblob, outblob, generation and provider."""

    def make(self, wanted: Wanted) -> Blobs:
        """Make a report; raises OSError."""


class SevProvider:
    """The provider of the SNP driver; Linux drivers/virt/coco/sev-guest/sev-guest.c, sev_report_new."""

    name = "sev_guest"

    def __init__(self, driver: SevGuestDriver) -> None:
        """Take the driver; above VMPL 0 there is an SVSM below the kernel."""
        self._driver, self.floor = driver, driver.vmpl
        self.attributes = frozenset({"auxblob", "privlevel", "privlevel_floor"})
        if driver.vmpl:
            self.attributes |= {"service_provider", "service_guid", "service_manifest_version", "manifestblob"}

    def make(self, wanted: Wanted) -> Blobs:
        """Make a report and give what the host says about certificates; raises OSError."""
        if len(wanted.inblob) != INBLOB_LIMIT:
            raise refusal(errno.EINVAL)
        if wanted.service_provider:
            return self._of_the_svsm(wanted)
        request = ReportRequest(user_data=wanted.inblob, vmpl=wanted.privlevel, key_selection=0, reserved=bytes(24))
        response = self._driver.report(request, pages=CERTIFICATES_LIMIT // PAGE, extended=True)
        return {"outblob": require_report(response), "auxblob": _used(response.table), "manifestblob": b""}

    def _of_the_svsm(self, wanted: Wanted) -> Blobs:
        """AMD 58019 (SVSM), attestation protocol: the report is VMPL 0's, over SHA-512 of nonce and manifest."""
        if wanted.service_guid not in {uuid.UUID(int=0), _VTPM} or wanted.service_manifest_version:
            raise refusal(errno.EINVAL)
        manifest = services_manifest() if not wanted.service_guid.int else vtpm_manifest()
        data = hashlib.sha512(wanted.inblob + manifest).digest()
        report = self._driver.machine.report(data, vmpl=0)
        return {"outblob": report, "auxblob": self._driver.table, "manifestblob": manifest}


def vtpm_manifest() -> bytes:
    """What the SIMULATED vTPM of the SVSM says of itself: an endorsement key that nobody has."""
    return hashlib.shake_256(b"SIMULATED vTPM endorsement key").digest(256)


def services_manifest() -> bytes:
    """The services of the SIMULATED SVSM, one of them: AMD 58019 (SVSM) table 14."""
    service = vtpm_manifest()
    start = _MANIFEST_HEADER.size + _MANIFEST_ENTRY.size
    header = _MANIFEST_HEADER.pack(_MANIFEST.bytes_le, start + len(service), 1)
    return header + _MANIFEST_ENTRY.pack(_VTPM.bytes_le, start, len(service)) + service


def _used(table: bytes) -> bytes:
    """Cut a table where its last entry ends, as the driver does: 32-bit sums, and no more than the buffer."""
    size = 0
    for start in range(0, len(table) - ENTRY_SIZE + 1, ENTRY_SIZE):
        entry = table[start : start + ENTRY_SIZE]
        if not entry.strip(b"\0"):
            break
        offset, length = struct.unpack("<II", entry[16:])
        size = max(size, (offset + length) % _UINT)
    return table.ljust(CERTIFICATES_LIMIT, b"\0")[: min(size, CERTIFICATES_LIMIT)]


class TdxProvider:
    """The provider of the TDX driver; Linux drivers/virt/coco/tdx-guest/tdx-guest.c, tdx_report_new."""

    name = "tdx_guest"
    floor = 0
    attributes: frozenset[str] = frozenset()

    def __init__(self, td: TdGuest) -> None:
        """Take the TD."""
        self._td = td

    def make(self, wanted: Wanted) -> Blobs:
        """Make a quote; raises OSError."""
        if len(wanted.inblob) != INBLOB_LIMIT:
            raise refusal(errno.EINVAL)
        return {"outblob": self._td.quote(wanted.inblob)}


class Inblob(Opened):
    """inblob while somebody has it open: what was written counts when it is closed."""

    def __init__(self, entry: "Entry") -> None:
        """Take the entry."""
        self._entry = entry
        self._data = bytearray()
        self._written = False

    def write(self, data: bytes, offset: int) -> int:
        """Keep bytes; raises OSError (EFBIG) where they end behind 64, and closing it counts all the same."""
        self._written = True
        self._entry.may_be_written()
        if offset + len(data) > INBLOB_LIMIT:
            raise refusal(errno.EFBIG)
        self._data.extend(bytes(max(0, offset + len(data) - len(self._data))))
        self._data[offset : offset + len(data)] = data
        return len(data)

    def flush(self) -> None:
        """Commit it, once; nobody is told whether that worked."""
        if self._written:
            self._written = False
            self._entry.commit(bytes(self._data))


class Entry(Folder):
    """One folder below report/."""

    def __init__(self, provider: Provider, faults: Faults, calls: Counter[str]) -> None:
        """Take who makes reports, what is to fail, and where reports are counted."""
        super().__init__()
        self._provider, self._faults, self._calls = provider, faults, calls
        self._wanted = Wanted()
        self._written = self._read = 0
        self._blobs: Blobs = {}
        self._shown = 0
        self.members |= {name: node for name, node in self._attributes().items() if self._has(name)}

    def _has(self, name: str) -> bool:
        return name in self._provider.attributes | {"inblob", "outblob", "generation", "provider"}

    def _attributes(self) -> dict[str, Node]:
        return {
            "inblob": File(0o200, lambda: Inblob(self)),
            **{name: self._blob(name) for name in ("outblob", "auxblob", "manifestblob")},
            "generation": text(self._generation),
            "provider": text(self._name),
            "privlevel": line(self._set_privlevel),
            "privlevel_floor": text(lambda: str(self._provider.floor)),
            "service_provider": line(self._set_service_provider),
            "service_guid": line(self._set_service_guid),
            "service_manifest_version": line(self._set_manifest_version),
        }

    def _blob(self, name: str) -> File:
        return blob(lambda: self._give(name))

    def may_be_written(self) -> None:
        """Raise OSError where a write is to fail."""
        if (number := self._faults.number(FaultKind.TSM_WRITE_ERRNO)) is not None:
            raise refusal(number)

    def commit(self, inblob: bytes) -> None:
        """Take what was written into inblob."""
        if not self._faults.take(FaultKind.TSM_COMMIT_LOST):
            self._wanted.inblob = inblob
            self._written += 1

    def _generation(self) -> str:
        if self._faults.take(FaultKind.TSM_GENERATION_STUCK):
            return str(self._shown)
        if self._faults.take(FaultKind.TSM_GENERATION_JUMPS):
            self._written += 1
        self._shown = self._written
        return str(self._written)

    def _name(self) -> str:
        return "simulated_unknown" if self._faults.take(FaultKind.TSM_PROVIDER) else self._provider.name

    def _set_privlevel(self, given: str) -> None:
        self.may_be_written()
        level = read_uint(given)
        if not self._provider.floor <= level <= HIGHEST_VMPL:
            raise refusal(errno.EINVAL)
        self._wanted.privlevel = level
        self._written += 1

    def _set_service_provider(self, given: str) -> None:
        self.may_be_written()
        if given.rstrip("\n") != SVSM:
            raise refusal(errno.EINVAL)
        self._wanted.service_provider = SVSM
        self._written += 1

    def _set_service_guid(self, given: str) -> None:
        self.may_be_written()
        try:
            self._wanted.service_guid = uuid.UUID(given.strip())
        except ValueError as error:
            raise refusal(errno.EINVAL) from error
        self._written += 1

    def _set_manifest_version(self, given: str) -> None:
        self.may_be_written()
        self._wanted.service_manifest_version = read_uint(given)
        self._written += 1

    def _give(self, name: str) -> bytes:
        """Read a blob: the kept one while nothing was written since, else of a new report."""
        faults = self._faults
        if (number := faults.number(FaultKind.TSM_READ_ERRNO)) is not None:
            raise refusal(number)
        if faults.take(FaultKind.TSM_OTHER_WRITER):
            self._write_as_another()
        if not self._wanted.inblob:
            raise refusal(errno.EINVAL)
        if self._blobs and faults.take(FaultKind.TSM_STALE):
            return self._blobs.get(name, b"")
        if not self._blobs or self._read != self._written:
            self._make()
        data = self._spoil(name, self._blobs.get(name, b""))
        if name == "outblob" and faults.take(FaultKind.TSM_OTHER_WRITER_LATER):
            self._write_as_another()
        return data

    def _make(self) -> None:
        self._blobs = {}
        self._calls["tsm.report"] += 1
        if self._faults.take(FaultKind.TSM_REPORT_DATA):
            kept, self._wanted.inblob = self._wanted.inblob, hashlib.sha512(self._wanted.inblob).digest()
            self._blobs = self._provider.make(self._wanted)
            self._wanted.inblob = kept
        else:
            self._blobs = self._provider.make(self._wanted)
        self._read = self._written

    def _write_as_another(self) -> None:
        self._wanted.inblob = hashlib.sha512(b"another writer" + self._wanted.inblob).digest()
        self._written += 1

    def _spoil(self, name: str, data: bytes) -> bytes:
        faults = self._faults
        if name == "outblob":
            if (size := faults.number(FaultKind.TSM_TRUNCATED)) is not None:
                data = data[:size]
            if (size := faults.number(FaultKind.TSM_PADDED)) is not None:
                data += bytes(min(size, 1 << 24))
        if name == "auxblob":
            if faults.take(FaultKind.TSM_AUXBLOB_EMPTY):
                data = b""
            if faults.take(FaultKind.TSM_AUXBLOB_GARBAGE):
                data = b"\xff" * (2 * ENTRY_SIZE)
        return data


class Reports(Folder):
    """The folder report/, in which programs make entries."""

    def __init__(self, provider: Provider, faults: Faults, calls: Counter[str]) -> None:
        """Take who makes reports, what is to fail, and where requests are counted."""
        super().__init__()
        self._provider, self._faults, self._calls = provider, faults, calls

    def make_folder(self, name: str) -> Node:
        """Make an entry."""
        self._calls["tsm.mkdir"] += 1
        if (number := self._faults.number(FaultKind.TSM_MKDIR_ERRNO)) is not None:
            raise refusal(number)
        if name in self.members:
            raise refusal(errno.EEXIST)
        self.members[name] = entry = Entry(self._provider, self._faults, self._calls)
        return entry

    def remove_folder(self, name: str) -> None:
        """Remove an entry with all that is in it."""
        self._calls["tsm.rmdir"] += 1
        if (number := self._faults.number(FaultKind.TSM_RMDIR_ERRNO)) is not None:
            raise refusal(number)
        if name not in self.members:
            raise refusal(errno.ENOENT)
        del self.members[name]


def read_uint(given: str) -> int:
    """Read a number as the kernel's kstrtouint does; raises OSError: EINVAL, ERANGE."""
    written = given.removesuffix("\n").removeprefix("+")
    base = 16 if written[:2].lower() == "0x" else 8 if written.startswith("0") and written != "0" else 10
    if not written or not written.removeprefix("0x").removeprefix("0X").isalnum():
        raise refusal(errno.EINVAL)
    try:
        number = int(written, base)
    except ValueError as error:
        raise refusal(errno.EINVAL) from error
    if number >= _UINT:
        raise refusal(errno.ERANGE)
    return number
