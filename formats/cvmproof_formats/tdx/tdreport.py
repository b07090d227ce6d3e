"""TDREPORT: what the TDX module hands a TD about itself, 1024 bytes; a quoting enclave turns it into a quote.

Follows Intel 348551 (TDX Module ABI), TDREPORT_STRUCT. Its MAC is keyed by the processor: only the same machine can
check it, so a TDREPORT alone is no evidence. The two hashes in it need no key, and are checked.
"""

import hashlib
from dataclasses import dataclass

from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.layout import Layout, raw, structure, uint

TDREPORT_SIZE = 1024  # bytes
TDX_REPORT_TYPE = 0x81
REPORT_VERSIONS = (0, 1)  # 1 where service TDs are bound

_MAC = slice(0, 256)
_TCB_INFO = slice(256, 495)
_RESERVED = slice(495, 512)
_TD_INFO = slice(512, 1024)

# TEE_TCB_INFO.VALID: bit i says that the 8 bytes at 8 * i are valid; TEE_TCB_SVN2 is 16 bytes at 128.
_CURRENT_SVN_VALID = 0b11 << 16


@structure(name="REPORTMACSTRUCT", size=256)
class ReportMac(Layout):
    """What the processor's MAC covers: the type, the two hashes and REPORT_DATA."""

    report_type: int = uint(0, 1)
    subtype: int = uint(1, 1)
    version: int = uint(2, 1)
    cpu_svn: bytes = raw(16, 16)
    tee_tcb_info_hash: bytes = raw(32, 48)
    tee_info_hash: bytes = raw(80, 48)
    report_data: bytes = raw(128, 64)
    mac: bytes = raw(224, 32)


@structure(name="TEE_TCB_INFO", size=239)
class TeeTcbInfo(Layout):
    """The TDX module; `valid` says which fields were filled in."""

    valid: int = uint(0, 8)
    tee_tcb_svn: bytes = raw(8, 16)
    mr_seam: bytes = raw(24, 48)
    mr_signer_seam: bytes = raw(72, 48)
    seam_attributes: int = uint(120, 8)
    tee_tcb_svn2: bytes = raw(128, 16)

    @property
    def current_tee_tcb_svn(self) -> bytes | None:
        """TEE_TCB_SVN of the module that runs the TD now, 16 bytes; None where it was not filled in."""
        return self.tee_tcb_svn2 if self.valid & _CURRENT_SVN_VALID == _CURRENT_SVN_VALID else None


@structure(name="TDINFO", size=512)
class TdInfo(Layout):
    """The TD: the fields of a quote's body under the same names."""

    td_attributes: int = uint(0, 8)
    xfam: int = uint(8, 8)
    mr_td: bytes = raw(16, 48)
    mr_config_id: bytes = raw(64, 48)
    mr_owner: bytes = raw(112, 48)
    mr_owner_config: bytes = raw(160, 48)
    rtmr0: bytes = raw(208, 48)
    rtmr1: bytes = raw(256, 48)
    rtmr2: bytes = raw(304, 48)
    rtmr3: bytes = raw(352, 48)
    mr_service_td: bytes = raw(400, 48)


@dataclass(frozen=True, slots=True, kw_only=True)
class TdReport:
    """The three parts of a TDREPORT."""

    mac: ReportMac
    tcb_info: TeeTcbInfo
    td_info: TdInfo

    def build(self) -> bytes:
        """Write 1024 bytes, the hashes in `mac` as they are.

        Raises Malformed for a field that does not fit.
        """
        gap = bytes(_RESERVED.stop - _RESERVED.start)
        return self.mac.build() + self.tcb_info.build() + gap + self.td_info.build()


def read_tdreport(data: bytes) -> TdReport:
    """Read a TDREPORT of 1024 bytes, whose hashes fit its parts.

    Raises Malformed; with category UNSUPPORTED for a report of another TEE, subtype or version.
    """
    if len(data) != TDREPORT_SIZE:
        raise Malformed(f"TDREPORT: expected {TDREPORT_SIZE} bytes, got {len(data)}")
    _require_type(data)
    if data[_RESERVED].strip(b"\0"):
        raise Malformed("TDREPORT: reserved bytes 495 to 511: expected 0, got others")
    mac = ReportMac.parse(data[_MAC])
    _require_hash("TEE_TCB_INFO", data[_TCB_INFO], mac.tee_tcb_info_hash)
    _require_hash("TDINFO", data[_TD_INFO], mac.tee_info_hash)
    return TdReport(mac=mac, tcb_info=TeeTcbInfo.parse(data[_TCB_INFO]), td_info=TdInfo.parse(data[_TD_INFO]))


def part_hash(part: TeeTcbInfo | TdInfo) -> bytes:
    """Give the hash that REPORTMACSTRUCT holds of a part: SHA-384, 48 bytes."""
    return hashlib.sha384(part.build()).digest()


def _require_type(data: bytes) -> None:
    kind, subtype, version = data[:3]
    if (kind, subtype) != (TDX_REPORT_TYPE, 0) or version not in REPORT_VERSIONS:
        raise Malformed(
            f"TDREPORT: expected type {TDX_REPORT_TYPE:#x}, subtype 0, version 0 or 1,"
            f" got {kind:#x}, {subtype}, {version}",
            category=Category.UNSUPPORTED,
        )


def _require_hash(name: str, part: bytes, expected: bytes) -> None:
    found = hashlib.sha384(part).digest()
    if found != expected:
        raise Malformed(f"TDREPORT: SHA-384 of {name}: expected {expected.hex()[:16]}..., got {found.hex()[:16]}...")
