"""The quoting enclave's report: the body of an SGX report, 384 bytes, signed by the platform's PCK key.

Follows Intel's DCAP quote format, "Enclave Report Body" (the ECDSA quote library reference, appendix A.4).
"""

import hashlib

from cvmproof_formats.bitfield import Bit
from cvmproof_formats.layout import Layout, raw, structure, uint

QE_REPORT_SIZE = 384  # bytes
REPORT_DATA_SIZE = 64  # bytes

# Intel SDM volume 3D, ATTRIBUTES: the low 64 bits; the high 64 are XFRM, as XCR0 has them.
ENCLAVE_ATTRIBUTE_BITS = (
    Bit(name="init", index=0, meaning="the enclave was initialised"),
    Bit(name="debug", index=1, meaning="the host can read and write the memory of the enclave"),
    Bit(name="mode64bit", index=2, meaning="the enclave runs in 64-bit mode"),
    Bit(name="provisionkey", index=4, meaning="the enclave can obtain the provisioning key"),
    Bit(name="einittoken_key", index=5, meaning="the enclave can obtain the launch key"),
    Bit(name="cet", index=6, meaning="the enclave uses control-flow enforcement"),
    Bit(name="kss", index=7, meaning="the enclave uses key separation and sharing"),
    Bit(name="aexnotify", index=10, meaning="the enclave is told of asynchronous exits"),
)
ENCLAVE_DEBUG = 1 << 1


@structure(name="QE report", size=QE_REPORT_SIZE)
class EnclaveReport(Layout):
    """The fields of the report, little-endian; MISCSELECT and ATTRIBUTES as bytes, as the QE identity masks them."""

    cpu_svn: bytes = raw(0, 16)
    miscselect: bytes = raw(16, 4)
    attributes: bytes = raw(48, 16)
    mr_enclave: bytes = raw(64, 32)
    mr_signer: bytes = raw(128, 32)
    isv_prod_id: int = uint(256, 2)
    isv_svn: int = uint(258, 2)
    report_data: bytes = raw(320, REPORT_DATA_SIZE)

    @property
    def flags(self) -> int:
        """The 64 bits of ATTRIBUTES that `ENCLAVE_ATTRIBUTE_BITS` names."""
        return int.from_bytes(self.attributes[:8], "little")


def attestation_key_report_data(*, attestation_key: bytes, authentication_data: bytes) -> bytes:
    """Give what REPORT_DATA must be, 64 bytes, for the enclave to vouch for an attestation key of 64 bytes.

    Intel's DCAP quote format, "QE Report": SHA-256 over the key and the authentication data, then 32 zero bytes.
    """
    digest = hashlib.sha256(attestation_key + authentication_data).digest()
    return digest.ljust(REPORT_DATA_SIZE, b"\0")
