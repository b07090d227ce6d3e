"""A SIMULATED machine that can run TDs: who it is, how up to date it is, and the PCK key that speaks for it.

    SoftwarePlatform()                                     an ordinary machine, everything up to date
    SoftwarePlatform(secret=b"another")                    another machine
    SoftwarePlatform(ca=Ca.PROCESSOR)                      one whose PCK certificate the Processor CA issued
    SoftwarePlatform().rated(TcbStatus.REVOKED)            one that the SIMULATED TCB info calls so

As on a real one, the PCK key follows from a secret of the machine and its TCB. The same arguments always give the same
bytes.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Unpack

from cvmproof_formats.pem import write_pem
from cvmproof_formats.tdx.hierarchy import Ca
from cvmproof_formats.tdx.pck import PckIdentity, PckPlatform, SgxType
from cvmproof_formats.tdx.tcb_status import TcbStatus
from cvmproof_formats.x509 import read_certificate
from cvmproof_simulator.psp import derive_key, spki_of
from cvmproof_simulator.tdx.ca import CertificateChanges, IntelCa
from cvmproof_simulator.tdx.ecdsa import Key

SIMULATED_FMSPC: Final = bytes.fromhex("51D000000000")
"""Of no processor that Intel makes."""
SIMULATED_PCEID: Final = bytes(2)
"""Intel's one and only."""
SIMULATED_COMPONENTS: Final = bytes((4, 4, 2, 2, 4, 1, 0, 5)).ljust(16, b"\0")
"""SVNs of the published TCB level that the machine is at, as an Emerald Rapids has them in late 2026."""
SIMULATED_CPUSVN: Final = bytes.fromhex("0404191b04ff00060000000000000000")
"""CPUSVN of the machine itself, in reports: opaque, and not below the level."""

PCESVNS: Final[Mapping[TcbStatus, int]] = MappingProxyType(
    {
        TcbStatus.UP_TO_DATE: 13,
        TcbStatus.SW_HARDENING_NEEDED: 12,
        TcbStatus.CONFIGURATION_NEEDED: 11,
        TcbStatus.CONFIGURATION_AND_SW_HARDENING_NEEDED: 10,
        TcbStatus.OUT_OF_DATE: 9,
        TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED: 8,
        TcbStatus.REVOKED: 7,
        TcbStatus.NOT_SUPPORTED: 6,
    }
)
"""PCESVN of a machine for each status of the platform by the SIMULATED TCB info; below the last level there is none."""
QE_SVNS: Final[Mapping[TcbStatus, int]] = MappingProxyType(
    {TcbStatus.UP_TO_DATE: 7, TcbStatus.OUT_OF_DATE: 5, TcbStatus.REVOKED: 3, TcbStatus.NOT_SUPPORTED: 2}
)
"""ISVSVN of the quoting enclave for each status by the SIMULATED QE identity."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SoftwarePlatform:
    """One SIMULATED machine; `authorities` None: the checked-in ones."""

    secret: bytes = b"SIMULATED platform"
    """Another secret is another machine."""
    ca: Ca = Ca.PLATFORM
    """Who issues its PCK certificate: the Processor CA does for machines with one package."""
    fmspc: bytes = SIMULATED_FMSPC
    pceid: bytes = SIMULATED_PCEID
    components: bytes = SIMULATED_COMPONENTS
    """16 SVNs, of the PCK certificate."""
    pcesvn: int = PCESVNS[TcbStatus.UP_TO_DATE]
    cpusvn: bytes = SIMULATED_CPUSVN
    """16 bytes, of reports."""
    sgx_type: SgxType = SgxType.SCALABLE
    dynamic_platform: bool = True
    cached_keys: bool = True
    smt_enabled: bool = True
    qe_svn: int = QE_SVNS[TcbStatus.UP_TO_DATE]
    """ISVSVN of its quoting enclave."""
    authorities: IntelCa = field(default_factory=IntelCa)

    def __repr__(self) -> str:
        return f"<SIMULATED TDX platform: {self.fmspc.hex()}, {self.ca} CA, PCESVN {self.pcesvn}, QE {self.qe_svn}>"

    def rated(self, status: TcbStatus) -> "SoftwarePlatform":
        """The same machine at the TCB to which the SIMULATED TCB info gives that status; raises KeyError for others."""
        return replace(self, pcesvn=PCESVNS[status])

    def with_quoting_enclave(self, status: TcbStatus) -> "SoftwarePlatform":
        """The same machine with the quoting enclave that has that status; raises KeyError for others."""
        return replace(self, qe_svn=QE_SVNS[status])

    def derive(self, purpose: str, size: int) -> bytes:
        """Bytes that follow from the machine's secret."""
        return hashlib.shake_256(f"SIMULATED TDX {purpose}\0".encode() + self.secret).digest(size)

    @property
    def ppid(self) -> bytes:
        """16 bytes: the processor package."""
        return self.derive("PPID", 16)

    @property
    def instance_id(self) -> bytes:
        """16 bytes: the machine as a whole; only certificates of the Platform CA say it."""
        return self.derive("platform instance id", 16)

    @property
    def qe_id(self) -> bytes:
        """16 bytes: what the quoting enclave writes into USER_DATA of quotes."""
        return self.derive("QE id", 16)

    @property
    def identity(self) -> PckIdentity:
        """What the PCK certificate says."""
        instance = PckPlatform(
            instance_id=self.instance_id,
            dynamic_platform=self.dynamic_platform,
            cached_keys=self.cached_keys,
            smt_enabled=self.smt_enabled,
        )
        return PckIdentity(
            ppid=self.ppid,
            components=self.components,
            pcesvn=self.pcesvn,
            cpusvn=self.components,  # Intel's certificates repeat the level's SVNs here
            pceid=self.pceid,
            fmspc=self.fmspc,
            sgx_type=self.sgx_type,
            platform=instance if self.ca is Ca.PLATFORM else None,
        )

    @property
    def pck_key(self) -> Key:
        """The private key of the PCK certificate, P-256, from the secret and the TCB."""
        tcb = self.components + self.pcesvn.to_bytes(2, "little")
        return derive_key(b"\0".join((b"PCK", tcb, self.secret)), curve="P-256")

    @property
    def attestation_key(self) -> Key:
        """The private key that the quoting enclave signs quotes with, P-256, from the secret and its ISVSVN."""
        return derive_key(b"\0".join((b"TD QE", self.qe_svn.to_bytes(2, "little"), self.secret)), curve="P-256")

    def pck(self, **changes: Unpack[CertificateChanges]) -> bytes:
        """The PCK certificate, DER; anything in it can be changed."""
        return self.authorities.pck(self.identity, spki_of(self.pck_key), **changes)

    @property
    def pck_serial(self) -> int:
        """Serial number of the PCK certificate."""
        return read_certificate(self.pck()).serial

    def certificates(self, **changes: Unpack[CertificateChanges]) -> tuple[bytes, bytes, bytes]:
        """PCK certificate, PCK CA, root, in DER; `changes` are the first one's."""
        return self.pck(**changes), self.authorities.intermediate(self.ca), self.authorities.root

    def pck_chain(self, **changes: Unpack[CertificateChanges]) -> bytes:
        """The same in PEM, as quotes carry them: most quoting enclaves put a zero byte behind the text."""
        return chain(*self.certificates(**changes))


def chain(*certificates: bytes) -> bytes:
    """Certificates (DER) in PEM with a zero byte behind, as quotes carry them."""
    return b"".join(map(write_pem, certificates)) + b"\0"
