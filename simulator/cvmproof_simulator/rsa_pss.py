"""Deterministic RSA signatures (RFC 8017) for the SIMULATED certificate authorities, honest and forged.

Libraries choose the PSS salt at random, which would make every regenerated certificate different. Here the salt follows
from the message, so the same arguments give the same bytes. This is test equipment: it is neither constant in time nor
meant to keep a key secret, and the keys it is used with are public.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from cvmproof_formats import der
from cvmproof_formats.x509 import SHA384, pss_algorithm

RSA_ENCRYPTION: Final = "1.2.840.113549.1.1.1"
DIGESTS: Final = {"sha256": "2.16.840.1.101.3.4.2.1", "sha384": SHA384, "sha512": "2.16.840.1.101.3.4.2.3"}
# RFC 8017 appendix A.2.4: shaNNNWithRSAEncryption.
_PKCS1: Final = {
    "sha256": "1.2.840.113549.1.1.11",
    "sha384": "1.2.840.113549.1.1.12",
    "sha512": "1.2.840.113549.1.1.13",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RsaKey:
    """A private key in CRT form (RFC 8017 3.2); the modulus alone decides equality."""

    modulus: int
    exponent: int = field(compare=False)
    p: int = field(compare=False, repr=False)
    q: int = field(compare=False, repr=False)
    dp: int = field(compare=False, repr=False)
    dq: int = field(compare=False, repr=False)
    q_inverse: int = field(compare=False, repr=False)

    def __repr__(self) -> str:
        return f"<SIMULATED RSA-{self.modulus.bit_length()} key {self.modulus % (1 << 32):08x}>"

    @property
    def public_key(self) -> bytes:
        """RSAPublicKey, DER: what key identifiers are the SHA-1 of."""
        return der.sequence(der.integer(self.modulus), der.integer(self.exponent))

    @property
    def spki(self) -> bytes:
        """SubjectPublicKeyInfo, DER."""
        return der.sequence(der.sequence(der.oid(RSA_ENCRYPTION), der.null()), der.bit_string(self.public_key))

    def apply(self, encoded: bytes) -> bytes:
        """Run RSASP1 (RFC 8017 5.2.1) over an encoded message; the result is as long as the modulus."""
        message = int.from_bytes(encoded, "big")
        first, second = pow(message, self.dp, self.p), pow(message, self.dq, self.q)
        signature = second + self.q * ((first - second) * self.q_inverse % self.p)
        return signature.to_bytes((self.modulus.bit_length() + 7) // 8, "big")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pss:
    """RSASSA-PSS: AMD's by default; anything else is a forgery. `declared` replaces the AlgorithmIdentifier (DER)."""

    digest: str = "sha384"
    salt: int = 48
    """Bytes."""
    trailer_field: bool = False
    """Spell out the default trailerField, as AMD's CA certificates and its leaves up to 2024 do."""
    declared: bytes | None = None

    @property
    def algorithm(self) -> bytes:
        """The AlgorithmIdentifier to write into the certificate."""
        honest = pss_algorithm(digest=DIGESTS[self.digest], salt=self.salt, trailer_field=self.trailer_field)
        return honest if self.declared is None else self.declared

    def sign(self, key: RsaKey, message: bytes) -> bytes:
        """Sign with a salt that follows from the message (RFC 8017 8.1.1 and 9.1.1)."""
        encoded_bits = key.modulus.bit_length() - 1
        size = (encoded_bits + 7) // 8
        digest = hashlib.new(self.digest, message).digest()
        salt = hashlib.shake_256(b"cvmproof simulated PSS salt\0" + digest).digest(self.salt)
        hashed = hashlib.new(self.digest, bytes(8) + digest + salt).digest()
        block = (b"\x01" + salt).rjust(size - len(hashed) - 1, b"\0")
        masked = _xor(block, _mgf1(self.digest, hashed, len(block)))
        masked = bytes((masked[0] & 0xFF >> 8 * size - encoded_bits,)) + masked[1:]
        return key.apply(masked + hashed + b"\xbc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pkcs1:
    """RSASSA-PKCS1-v1_5, which AMD never uses: for forged cases. `declared` replaces the AlgorithmIdentifier (DER)."""

    digest: str = "sha384"
    declared: bytes | None = None

    @property
    def algorithm(self) -> bytes:
        """The AlgorithmIdentifier to write into the certificate."""
        return der.sequence(der.oid(_PKCS1[self.digest]), der.null()) if self.declared is None else self.declared

    def sign(self, key: RsaKey, message: bytes) -> bytes:
        """Sign (RFC 8017 8.2.1 and 9.2)."""
        digest = hashlib.new(self.digest, message).digest()
        info = der.sequence(der.sequence(der.oid(DIGESTS[self.digest]), der.null()), der.octet_string(digest))
        size = (key.modulus.bit_length() + 7) // 8
        return key.apply(b"\0\x01" + b"\xff" * (size - len(info) - 3) + b"\0" + info)


SignatureForm = Pss | Pkcs1


@dataclass(frozen=True, slots=True, kw_only=True)
class RsaSigner:
    """A key and the form of its signatures, for `issuing`."""

    form: SignatureForm
    key: RsaKey

    @property
    def algorithm(self) -> bytes:
        """The AlgorithmIdentifier to write, DER."""
        return self.form.algorithm

    def sign(self, message: bytes) -> bytes:
        """Sign."""
        return self.form.sign(self.key, message)


def generate_key(bits: int = 4096) -> RsaKey:
    """Make a fresh random key; takes about a second."""
    return _from_private_key(rsa.generate_private_key(public_exponent=65537, key_size=bits))


def read_key(pem: bytes) -> RsaKey:
    """Read a PKCS#8 PEM of ours, text before the block included; raises TypeError for a key that is not RSA."""
    # Checking that our own checked-in primes are prime would cost more than everything else the simulator does.
    key = load_pem_private_key(pem, password=None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError(f"expected an RSA key, got {type(key).__name__}")
    return _from_private_key(key)


def _from_private_key(key: rsa.RSAPrivateKey) -> RsaKey:
    numbers = key.private_numbers()
    return RsaKey(
        modulus=numbers.public_numbers.n,
        exponent=numbers.public_numbers.e,
        p=numbers.p,
        q=numbers.q,
        dp=numbers.dmp1,
        dq=numbers.dmq1,
        q_inverse=numbers.iqmp,
    )


def _mgf1(digest: str, seed: bytes, size: int) -> bytes:
    """Mask generation function MGF1 (RFC 8017 B.2.1)."""
    length = hashlib.new(digest).digest_size
    blocks = (hashlib.new(digest, seed + i.to_bytes(4, "big")).digest() for i in range(-(-size // length)))
    return b"".join(blocks)[:size]


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(len(left), "big")
