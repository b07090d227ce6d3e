"""A SIMULATED secure processor: signs SEV-SNP reports with a VCEK or VLEK of the simulated authorities.

    psp = SoftwarePsp(ProductLine.GENOA)
    psp.report(report_data)                            1184 signed bytes
    psp.report(report_data, policy=0xB0000)            ... of a debug guest
    psp.certificates()                                 leaf, ASK or ASVK, ARK

As on the real one, the endorsement key follows from a secret of the chip (or of the provider) and the TCB, so a chip on
older firmware has other keys. The same arguments always give the same bytes. Field values are what current firmware
reports, checked against real reports; AMD 56860, ATTESTATION_REPORT.
"""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Literal, TypedDict, Unpack

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cvmproof_formats.snp import key_flags
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.report import (
    ECDSA_P384_SHA384,
    FIRST_VERSION_WITH_CPUID,
    FIRST_VERSION_WITH_MITIGATIONS,
    NO_MIGRATION_AGENT,
    SIGNED,
    AttestationReport,
)
from cvmproof_formats.snp.tcb import Tcb
from cvmproof_formats.snp.vek import PROFILES, STRUCT_VERSIONS, VekIdentity
from cvmproof_simulator.ca import AmdCa, CertificateChanges

_log = logging.getLogger(__name__)

# SEC 2, secp384r1: the order of the group.
P384_ORDER: Final = int(
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16
)
SIMULATED_CSP: Final = "CN=cc-simulated-1.cvmproof.example"
SIMULATED_MEASUREMENT: Final = hashlib.sha384(b"SIMULATED cvmproof guest").digest()
Curve = Literal["P-256", "P-384", "P-521"]
_CURVES: Final[Mapping[Curve, ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
}
_INTEGER_SIZE = 72  # bytes of R and of S


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What current firmware of a product line reports, at the levels that amd-sb-3023 asks for."""

    tcb: Tcb
    cpuid: tuple[int, int, int]
    """Family, model, stepping."""
    firmware: tuple[int, int, int]
    """Major, minor, build."""
    mitigations: int
    product_name: str
    """As VCEKs spell it; VLEKs name the line only."""


PLATFORMS: Final = {
    ProductLine.MILAN: Platform(
        tcb=Tcb(boot_loader=4, tee=0, snp=27, microcode=222),
        cpuid=(0x19, 0x01, 1),
        firmware=(1, 55, 35),
        mitigations=0x0B,
        product_name="Milan-B0",
    ),
    ProductLine.GENOA: Platform(
        tcb=Tcb(boot_loader=10, tee=0, snp=27, microcode=86),
        cpuid=(0x19, 0x11, 1),
        firmware=(1, 55, 49),
        mitigations=0x0B,
        product_name="Genoa",
    ),
    ProductLine.TURIN: Platform(
        tcb=Tcb(fmc=1, boot_loader=1, tee=1, snp=4, microcode=81),
        cpuid=(0x1A, 0x02, 1),
        firmware=(1, 55, 65),
        mitigations=0x3F,
        product_name="Turin",
    ),
}
_POLICY = 0x30000  # SMT allowed, and bit 17, which must be 1
_PLATFORM_INFO = {False: 0x01, True: 0x25}  # from version 3: SMT, ECC, ALIAS_CHECK_COMPLETE


class ReportFields(TypedDict, total=False):
    """The fields of AttestationReport, each optional."""

    version: int
    guest_svn: int
    policy: int
    family_id: bytes
    image_id: bytes
    vmpl: int
    signature_algo: int
    current_tcb: bytes
    platform_info: int
    key_flags: int
    measurement: bytes
    host_data: bytes
    id_key_digest: bytes
    author_key_digest: bytes
    report_id: bytes
    report_id_ma: bytes
    reported_tcb: bytes
    cpuid_family: int
    cpuid_model: int
    cpuid_stepping: int
    chip_id: bytes
    committed_tcb: bytes
    current_build: int
    current_minor: int
    current_major: int
    committed_build: int
    committed_minor: int
    committed_major: int
    launch_tcb: bytes
    launch_mit_vector: int
    current_mit_vector: int


@dataclass(frozen=True, slots=True, repr=False)
class SoftwarePsp:
    """One SIMULATED chip with one guest; None stands for the product line's current TCB, the checked-in authorities."""

    product: ProductLine
    key: KeyKind = KeyKind.VCEK
    version: int = 5
    """Report version, 2 to 5."""
    chip_secret: bytes = b"SIMULATED chip"
    """Another secret is another chip."""
    tcb: Tcb | None = None
    csp_id: str = SIMULATED_CSP
    """Whose VLEK is loaded."""
    ca: AmdCa | None = None

    def __repr__(self) -> str:
        return f"<SIMULATED PSP: {self.product}, {self.key}, report v{self.version}, {self.reported_tcb}>"

    @property
    def reported_tcb(self) -> Tcb:
        """The TCB that the key follows from."""
        return self.tcb or PLATFORMS[self.product].tcb

    @property
    def authorities(self) -> AmdCa:
        """Who signs the endorsement certificates."""
        return self.ca or AmdCa(self.product)

    @property
    def chip_id(self) -> bytes:
        """64 bytes: hwID and, on Turin, zeros; what CHIP_ID says under a VCEK."""
        size = PROFILES[STRUCT_VERSIONS[self.product]].hwid_size
        return hashlib.shake_256(b"SIMULATED CHIP_ID\0" + self.chip_secret).digest(size).ljust(64, b"\0")

    @property
    def identity(self) -> VekIdentity:
        """What the endorsement certificate says."""
        struct_version = STRUCT_VERSIONS[self.product]
        is_vcek = self.key is KeyKind.VCEK
        return VekIdentity(
            product=self.product,
            product_name=PLATFORMS[self.product].product_name if is_vcek else self.product.value,
            struct_version=struct_version,
            kind=self.key,
            tcb=self.reported_tcb,
            hwid=self.chip_id[: PROFILES[struct_version].hwid_size] if is_vcek else None,
            csp_id=None if is_vcek else self.csp_id,
        )

    @property
    def endorsement_key(self) -> ec.EllipticCurvePrivateKey:
        """The VCEK or VLEK: P-384, from the chip's or the provider's secret and the TCB."""
        secret = self.chip_secret if self.key is KeyKind.VCEK else self.csp_id.encode()
        tcb = self.reported_tcb.build(self.product)
        return derive_key(b"\0".join((self.key.encode(), self.product.encode(), tcb, secret)))

    def vek(self, **changes: Unpack[CertificateChanges]) -> bytes:
        """The endorsement certificate, DER; anything in it can be changed."""
        return self.authorities.leaf(self.identity, spki_of(self.endorsement_key), **changes)

    def certificates(self, **changes: Unpack[CertificateChanges]) -> tuple[bytes, bytes, bytes]:
        """Leaf, ASK or ASVK, ARK, in DER; `changes` are the leaf's."""
        return self.vek(**changes), self.authorities.intermediate(self.key), self.authorities.ark

    def fields(self, report_data: bytes, *, version: int | None = None) -> AttestationReport:
        """The unsigned report of an ordinary guest, for 64 bytes of report data."""
        version = self.version if version is None else version
        platform = PLATFORMS[self.product]
        tcb = self.reported_tcb.build(self.product)
        family, model, stepping = platform.cpuid if version >= FIRST_VERSION_WITH_CPUID else (0, 0, 0)
        mitigations = platform.mitigations if version >= FIRST_VERSION_WITH_MITIGATIONS else 0
        major, minor, build = platform.firmware
        return AttestationReport(
            version=version,
            guest_svn=0,
            policy=_POLICY,
            family_id=bytes(16),
            image_id=bytes(16),
            vmpl=0,
            signature_algo=ECDSA_P384_SHA384,
            current_tcb=tcb,
            platform_info=_PLATFORM_INFO[version >= FIRST_VERSION_WITH_CPUID],
            key_flags=key_flags.flags_for(self.key),
            report_data=report_data,
            measurement=SIMULATED_MEASUREMENT,
            host_data=bytes(32),
            id_key_digest=bytes(48),
            author_key_digest=bytes(48),
            report_id=hashlib.sha256(b"SIMULATED REPORT_ID\0" + self.chip_secret).digest(),
            report_id_ma=NO_MIGRATION_AGENT,
            reported_tcb=tcb,
            cpuid_family=family,
            cpuid_model=model,
            cpuid_stepping=stepping,
            # A provider that uses VLEKs hides the chip: CHIP_ID is zero in every real VLEK-signed report seen.
            chip_id=self.chip_id if self.key is KeyKind.VCEK else bytes(64),
            committed_tcb=tcb,
            current_build=build,
            current_minor=minor,
            current_major=major,
            committed_build=build,
            committed_minor=minor,
            committed_major=major,
            launch_tcb=tcb,
            launch_mit_vector=mitigations,
            current_mit_vector=mitigations,
            signature_r=bytes(_INTEGER_SIZE),
            signature_s=bytes(_INTEGER_SIZE),
        )

    def report(
        self,
        report_data: bytes,
        *,
        signed_by: ec.EllipticCurvePrivateKey | None = None,
        signature: tuple[int, int] | None = None,
        **changes: Unpack[ReportFields],
    ) -> bytes:
        """A signed report, 1184 bytes, with the given fields changed before signing.

        `report_data` is 64 bytes. `signed_by` is another key than the endorsement key. `signature` is (R, S) as they
        are to be written, each below 2**576: (0, 0) is what firmware with a masked chip key leaves.
        Raises Malformed for a field that does not fit.
        """
        report = replace(self.fields(report_data, version=changes.get("version")), **changes)
        return self.sign(report, signed_by=signed_by, signature=signature)

    def sign(
        self,
        report: AttestationReport,
        *,
        signed_by: ec.EllipticCurvePrivateKey | None = None,
        signature: tuple[int, int] | None = None,
    ) -> bytes:
        """Sign any report; arguments and errors as for `report`."""
        body = report.build()[SIGNED]
        r, s = ecdsa(signed_by or self.endorsement_key, body) if signature is None else signature
        _log.info("SIMULATED PSP signed a report: %s %s version %d", self.product, self.key, report.version)
        return replace(
            report, signature_r=r.to_bytes(_INTEGER_SIZE, "little"), signature_s=s.to_bytes(_INTEGER_SIZE, "little")
        ).build()


@lru_cache(maxsize=1024)
def derive_key(seed: bytes, *, curve: Curve = "P-384") -> ec.EllipticCurvePrivateKey:
    """Derive a private key from a seed: on P-384, or on another curve for forged certificates."""
    on = _CURVES[curve]
    # A byte short of the curve's size, plus 1: below the order of each of these curves, and not 0.
    scalar = int.from_bytes(hashlib.shake_256(b"SIMULATED key\0" + seed).digest(on.key_size // 8 - 1), "big") + 1
    return ec.derive_private_key(scalar, on)


def ecdsa(key: ec.EllipticCurvePrivateKey, message: bytes) -> tuple[int, int]:
    """Sign with ECDSA and SHA-384, deterministically (RFC 6979); S in its lower half, as real processors write it."""
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(SHA384(), deterministic_signing=True)))
    return r, (min(s, P384_ORDER - s) if isinstance(key.curve, ec.SECP384R1) else s)


def spki_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    """SubjectPublicKeyInfo of a key, DER, uncompressed."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
