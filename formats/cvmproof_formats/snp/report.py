"""The SEV-SNP attestation report: 1184 bytes, versions 2 to 5.

Follows AMD 56860 (SEV-SNP Firmware ABI), ATTESTATION_REPORT. Versions differ only in which bytes are reserved: 3 added
the CPU's family, model and stepping, 5 the mitigation vectors. Any other version is refused as unsupported.
"""

from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.layout import Layout, raw, structure, uint
from cvmproof_formats.snp import guest_policy, key_flags
from cvmproof_formats.snp.product import KeyKind

REPORT_SIZE = 0x4A0  # bytes
SIGNED = slice(0x000, 0x2A0)  # of the bytes received; what SHA-384 runs over
VERSIONS = range(2, 6)
FIRST_VERSION_WITH_CPUID = 3
FIRST_VERSION_WITH_MITIGATIONS = 5

ECDSA_P384_SHA384 = 1  # SIGNATURE_ALGO
HOST_REQUESTED = 0xFFFFFFFF  # VMPL of a report that the host asked for (SNP_HV_REPORT_REQ)
GUEST_VMPLS = range(4)
NO_MIGRATION_AGENT = b"\xff" * 32  # REPORT_ID_MA


@structure(name="ATTESTATION_REPORT", size=REPORT_SIZE)
class AttestationReport(Layout):
    """The fields of a report, little-endian; TCBs as their 8 bytes, since their layout depends on the product line."""

    version: int = uint(0x000, 4)
    guest_svn: int = uint(0x004, 4)
    policy: int = uint(0x008, 8)
    family_id: bytes = raw(0x010, 16)
    image_id: bytes = raw(0x020, 16)
    vmpl: int = uint(0x030, 4)
    signature_algo: int = uint(0x034, 4)
    current_tcb: bytes = raw(0x038, 8)
    platform_info: int = uint(0x040, 8)
    key_flags: int = uint(0x048, 4)
    report_data: bytes = raw(0x050, 64)
    measurement: bytes = raw(0x090, 48)
    host_data: bytes = raw(0x0C0, 32)
    id_key_digest: bytes = raw(0x0E0, 48)
    author_key_digest: bytes = raw(0x110, 48)
    report_id: bytes = raw(0x140, 32)
    report_id_ma: bytes = raw(0x160, 32)
    reported_tcb: bytes = raw(0x180, 8)
    cpuid_family: int = uint(0x188, 1, since=FIRST_VERSION_WITH_CPUID)
    cpuid_model: int = uint(0x189, 1, since=FIRST_VERSION_WITH_CPUID)
    cpuid_stepping: int = uint(0x18A, 1, since=FIRST_VERSION_WITH_CPUID)
    chip_id: bytes = raw(0x1A0, 64)
    committed_tcb: bytes = raw(0x1E0, 8)
    current_build: int = uint(0x1E8, 1)
    current_minor: int = uint(0x1E9, 1)
    current_major: int = uint(0x1EA, 1)
    committed_build: int = uint(0x1EC, 1)
    committed_minor: int = uint(0x1ED, 1)
    committed_major: int = uint(0x1EE, 1)
    launch_tcb: bytes = raw(0x1F0, 8)
    launch_mit_vector: int = uint(0x1F8, 8, since=FIRST_VERSION_WITH_MITIGATIONS)
    current_mit_vector: int = uint(0x200, 8, since=FIRST_VERSION_WITH_MITIGATIONS)
    # R and S are 72-byte little-endian integers; whether they are in range is for the signature check to say.
    signature_r: bytes = raw(0x2A0, 72)
    signature_s: bytes = raw(0x2E8, 72)

    @property
    def signing_key(self) -> KeyKind:
        """Which key signed; raises Malformed as `key_flags.signing_key` does."""
        return key_flags.signing_key(self.key_flags)

    @property
    def current_firmware(self) -> tuple[int, int, int]:
        """Firmware that runs: (major, minor, build)."""
        return self.current_major, self.current_minor, self.current_build

    @property
    def committed_firmware(self) -> tuple[int, int, int]:
        """Firmware that the platform can't go back behind: (major, minor, build)."""
        return self.committed_major, self.committed_minor, self.committed_build


def read_report(data: bytes) -> AttestationReport:
    """Read a report of 1184 bytes and hold it to its version's rules.

    Raises Malformed for bytes that do not fit; with category UNSUPPORTED for a version other than 2 to 5, another
    signature algorithm, another signing key, or GUEST_POLICY bits that no known version defines.
    """
    _refuse_unknown_version(data)
    report = AttestationReport.parse(data)
    if report.signature_algo != ECDSA_P384_SHA384:
        raise Malformed(
            f"SIGNATURE_ALGO: expected 1 (ECDSA P-384 with SHA-384), got {report.signature_algo}",
            category=Category.UNSUPPORTED,
        )
    key_flags.signing_key(report.key_flags)
    guest_policy.require_well_formed(report.policy)
    return report


def _refuse_unknown_version(data: bytes) -> None:
    # Before the layout: an unknown version may use bytes that ours reserves, and "unsupported" is the better answer.
    version = int.from_bytes(data[:4], "little")
    if len(data) == REPORT_SIZE and version not in VERSIONS:
        raise Malformed(f"ATTESTATION_REPORT version: expected 2 to 5, got {version}", category=Category.UNSUPPORTED)
