"""X.509 certificates and CRLs (RFC 5280), read strictly and bounded, as slices of the bytes received.

This reader stands between received bytes and every trust decision. Generic loaders don't fit AMD's profile: its
leaves all have serial number 0 and non-strict PSS parameters, and pyca/cryptography announces a release that refuses
the former. Nothing here checks signatures, names or dates; those are the chain's questions.
"""

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

from cvmproof_formats import der
from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.record import record

MAXIMUM_CERTIFICATE = 8 * 1024  # bytes; AMD's largest has 1.7 KiB
MAXIMUM_CRL = 64 * 1024  # bytes; AMD's has 0.9 KiB, Intel's with 57 entries 3.3 KiB
# Bytes of the number, RFC 5280 4.1.2.2. Half of Intel's serials have all 160 bits, and so a sign byte in front of them.
_MAXIMUM_SERIAL = 20

_VERSION, _EXTENSIONS, _CRL_EXTENSIONS = 0xA0, 0xA3, 0xA0  # context tags, RFC 5280 4.1 and 5.1

COMMON_NAME: Final = "2.5.4.3"
SUBJECT_KEY_IDENTIFIER: Final = "2.5.29.14"
KEY_USAGE: Final = "2.5.29.15"
BASIC_CONSTRAINTS: Final = "2.5.29.19"
CRL_NUMBER: Final = "2.5.29.20"
CRL_DISTRIBUTION_POINTS: Final = "2.5.29.31"
AUTHORITY_KEY_IDENTIFIER: Final = "2.5.29.35"
RSASSA_PSS: Final = "1.2.840.113549.1.1.10"
MGF1: Final = "1.2.840.113549.1.1.8"
SHA384: Final = "2.16.840.1.101.3.4.2.2"


class Extension(NamedTuple):
    """One extension: dotted OID, the bytes inside its OCTET STRING, and whether it is critical."""

    oid: str
    value: bytes
    critical: bool = False

    def build(self) -> bytes:
        """Write the Extension (RFC 5280 4.1)."""
        critical = der.boolean(self.critical) if self.critical else b""
        return der.sequence(der.oid(self.oid), critical, der.octet_string(self.value))


@record
class Certificate:
    """A certificate; bytes fields are slices of `der`, which alone decides equality."""

    der: bytes = field(repr=False)
    tbs: bytes = field(repr=False, compare=False)
    """TBSCertificate with its header: what the signature is over."""
    version: int = field(compare=False)
    """1 or 3."""
    serial: int = field(compare=False)
    issuer: bytes = field(repr=False, compare=False)
    """Name, DER."""
    subject: bytes = field(repr=False, compare=False)
    """Name, DER."""
    not_before: datetime = field(compare=False)
    not_after: datetime = field(compare=False)
    spki: bytes = field(repr=False, compare=False)
    """SubjectPublicKeyInfo, DER."""
    extensions: tuple[Extension, ...] = field(repr=False, compare=False)
    signature_algorithm: bytes = field(repr=False, compare=False)
    """AlgorithmIdentifier, DER; the same bytes stand inside `tbs`."""
    signature: bytes = field(repr=False, compare=False)

    def extension(self, oid: str) -> Extension | None:
        """Find an extension; there is at most one of each OID."""
        for extension in self.extensions:
            if extension.oid == oid:
                return extension
        return None


@record
class CertificateList:
    """A CRL; bytes fields are slices of `der`, which alone decides equality."""

    der: bytes = field(repr=False)
    tbs: bytes = field(repr=False, compare=False)
    """TBSCertList with its header: what the signature is over."""
    issuer: bytes = field(repr=False, compare=False)
    """Name, DER."""
    this_update: datetime = field(compare=False)
    next_update: datetime | None = field(compare=False)
    serials: frozenset[int] = field(compare=False)
    """Every serial listed, whatever the reason given."""
    extensions: tuple[Extension, ...] = field(repr=False, compare=False)
    signature_algorithm: bytes = field(repr=False, compare=False)
    signature: bytes = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicConstraints:
    """Whether the subject is a CA, and how many CAs may follow it (None: any number). RFC 5280 4.2.1.9."""

    ca: bool
    path_length: int | None = None

    def __str__(self) -> str:
        length = "" if self.path_length is None else f", path length {self.path_length}"
        return f"{'CA' if self.ca else 'no CA'}{length}"

    def build(self) -> Extension:
        """Write the extension, critical as AMD does."""
        ca = der.boolean(self.ca) if self.ca else b""
        length = b"" if self.path_length is None else der.integer(self.path_length)
        return Extension(oid=BASIC_CONSTRAINTS, critical=True, value=der.sequence(ca, length))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUsage:
    """What a key may be used for, in the order of the bits (RFC 5280 4.2.1.3)."""

    digital_signature: bool = False
    content_commitment: bool = False
    key_encipherment: bool = False
    data_encipherment: bool = False
    key_agreement: bool = False
    key_cert_sign: bool = False
    crl_sign: bool = False
    encipher_only: bool = False
    decipher_only: bool = False

    def __str__(self) -> str:
        return " and ".join(name for name in _USAGES if getattr(self, name)) or "nothing"

    def build(self, *, shortest: bool = False) -> Extension:
        """Write the extension, critical and through the bit for cRLSign even where that is 0, as AMD does.

        `shortest` drops trailing zero bits as X.690 11.2.2 asks, and as Intel does.
        """
        bits = "".join("1" if getattr(self, name) else "0" for name in _USAGES)
        if shortest:
            bits = bits.rstrip("0")
        elif not (self.encipher_only or self.decipher_only):
            bits = bits[:_BITS_THROUGH_CRL_SIGN]
        size = (len(bits) + 7) // 8
        unused = 8 * size - len(bits)
        content = (int(bits or "0", 2) << unused).to_bytes(size, "big")
        return Extension(oid=KEY_USAGE, critical=True, value=der.bit_string(content, unused))


_BITS_THROUGH_CRL_SIGN = 7
_USAGES = tuple(KeyUsage.__dataclass_fields__)


def pss_algorithm(*, digest: str, salt: int, trailer_field: bool) -> bytes:
    """Write the AlgorithmIdentifier of RSASSA-PSS with one hash OID for message and MGF1 (RFC 4055 section 3.1).

    `trailer_field` spells out the default trailerField, which strict DER would omit.
    """
    hash_algorithm = der.sequence(der.oid(digest), der.null())
    parts = [
        der.explicit(0, hash_algorithm),
        der.explicit(1, der.sequence(der.oid(MGF1), hash_algorithm)),
        der.explicit(2, der.integer(salt)),
    ]
    if trailer_field:
        parts.append(der.explicit(3, der.integer(1)))
    return der.sequence(der.oid(RSASSA_PSS), der.sequence(*parts))


# AMD 57230, certificate profile: SHA-384, MGF1 with SHA-384, salt of 48 bytes. Certificates up to 2024 spell out the
# default trailerField, newer leaves and the CRLs don't; both byte strings, and no others, mean the same algorithm.
PSS_SHA384: Final = frozenset(
    {
        pss_algorithm(digest=SHA384, salt=48, trailer_field=False),
        pss_algorithm(digest=SHA384, salt=48, trailer_field=True),
    }
)


def read_certificate(data: bytes) -> Certificate:
    """Read one certificate of version 1 or 3 in DER.

    Raises Malformed for bytes that are not exactly that: any deviation from DER, bytes left over, a negative serial,
    unique identifiers, an empty or repeated extension, a tbs that names another signature algorithm than the outside;
    with category SIZE_LIMIT above 8 KiB.
    """
    tbs, algorithm, signature = _signed(data, MAXIMUM_CERTIFICATE, "certificate")
    at, end = tbs[0], tbs[1]
    version, at = _certificate_version(data, at, end)
    start, stop = der.expect(data, at, end, der.INTEGER, "certificate serial")
    serial = _serial(data[start:stop])
    at = _repeated_algorithm(data, stop, end, algorithm)
    issuer, at = _name(data, at, end, "certificate issuer")
    start, stop = der.expect(data, at, end, der.SEQUENCE, "certificate validity")
    not_before, at = _time(data, start, stop, "certificate notBefore")
    not_after, at = _time(data, at, stop, "certificate notAfter")
    _require_end(at, stop, "certificate validity")
    subject, at = _name(data, stop, end, "certificate subject")
    spki, at = _public_key(data, at, end)
    extensions = _explicit_extensions(data, at, end, _EXTENSIONS) if at < end else ()
    if extensions and version != 3:  # noqa: PLR2004  # RFC 5280 4.1: extensions belong to version 3
        raise Malformed(f"certificate version: expected 3 where there are extensions, got {version}")
    return Certificate(
        der=data,
        tbs=data[tbs[2] : tbs[1]],
        version=version,
        serial=serial,
        issuer=issuer,
        subject=subject,
        not_before=not_before,
        not_after=not_after,
        spki=spki,
        extensions=extensions,
        signature_algorithm=algorithm,
        signature=signature,
    )


def read_crl(data: bytes) -> CertificateList:
    """Read one CRL of version 2 in DER.

    Raises Malformed as `read_certificate` does; with category UNSUPPORTED for an entry with a critical extension (it
    may say that the entry is about another issuer's certificate), with SIZE_LIMIT above 64 KiB.
    """
    tbs, algorithm, signature = _signed(data, MAXIMUM_CRL, "CRL")
    end = tbs[1]
    start, stop = der.expect(data, tbs[0], end, der.INTEGER, "CRL version")
    if data[start:stop] != b"\x01":
        raise Malformed(f"CRL version: expected 2 (encoded 01), got {data[start:stop][:8].hex()}")
    at = _repeated_algorithm(data, stop, end, algorithm)
    issuer, at = _name(data, at, end, "CRL issuer")
    this_update, at = _time(data, at, end, "CRL thisUpdate")
    next_update = None
    if at < end and data[at] in (der.UTC_TIME, der.GENERALIZED_TIME):
        next_update, at = _time(data, at, end, "CRL nextUpdate")
    serials: frozenset[int] = frozenset()
    if at < end and data[at] == der.SEQUENCE:
        serials, at = _revoked(data, at, end)
    return CertificateList(
        der=data,
        tbs=data[tbs[2] : end],
        issuer=issuer,
        this_update=this_update,
        next_update=next_update,
        serials=serials,
        extensions=_explicit_extensions(data, at, end, _CRL_EXTENSIONS) if at < end else (),
        signature_algorithm=algorithm,
        signature=signature,
    )


@lru_cache(maxsize=64)
def common_name(name: bytes) -> str:
    """Give the one common name in a Name (DER).

    Raises Malformed where there is none, more than one, or one that is neither UTF8String nor PrintableString.
    """
    found = [(tag, value) for oid, tag, value in _attributes(name) if oid == COMMON_NAME]
    if len(found) != 1 or found[0][0] not in (der.UTF8_STRING, der.PRINTABLE_STRING):
        raise Malformed(f"name: expected one common name as UTF8String or PrintableString, got {len(found)}")
    try:
        return found[0][1].decode("utf-8" if found[0][0] == der.UTF8_STRING else "ascii")
    except UnicodeDecodeError as error:
        raise Malformed(f"name: the common name is not text: {error.reason}") from error


def basic_constraints(certificate: Certificate) -> BasicConstraints | None:
    """Read the basic constraints, None where the certificate has none; raises Malformed for other content."""
    extension = certificate.extension(BASIC_CONSTRAINTS)
    if extension is None:
        return None
    data = extension.value
    at, end = der.only(data, 0, len(data), der.SEQUENCE, "basicConstraints")
    ca, path_length = False, None
    if at < end and data[at] == der.BOOLEAN:
        ca, at = _true_by_default_false(data, at, end, "basicConstraints cA")
    if at < end:
        start, at = der.only(data, at, end, der.INTEGER, "basicConstraints pathLenConstraint")
        path_length = der.read_integer(data[start:at], "basicConstraints pathLenConstraint")
    return BasicConstraints(ca=ca, path_length=path_length)


def key_usage(certificate: Certificate) -> KeyUsage | None:
    """Read the key usage, None where the certificate has none; raises Malformed for other content."""
    extension = certificate.extension(KEY_USAGE)
    return None if extension is None else _key_usage(extension.value)


@lru_cache(maxsize=64)
def _key_usage(data: bytes) -> KeyUsage:
    start, stop = der.only(data, 0, len(data), der.BIT_STRING, "keyUsage")
    unused, content = data[start : start + 1], data[start + 1 : stop]
    bits = "".join(f"{byte:08b}" for byte in content)
    # AMD's intermediates keep a trailing zero bit, which X.690 11.2.2 would drop: so zeros may follow, nothing else.
    used = len(bits) - unused[0] if unused else 0
    if unused > b"\x07" or not 1 <= used <= len(_USAGES) or "1" in bits[used:]:
        raise Malformed(f"keyUsage: expected 1 to {len(_USAGES)} bits (RFC 5280 4.2.1.3), got {data[:8].hex()}")
    flags = bits[:used].ljust(len(_USAGES), "0")
    return KeyUsage(**{name: flag == "1" for name, flag in zip(_USAGES, flags, strict=True)})


def _signed(data: bytes, limit: int, what: str) -> tuple[tuple[int, int, int], bytes, bytes]:
    """Split SEQUENCE { tbs, algorithm, signature }; tbs as (content start, end, header start)."""
    if len(data) > limit:
        raise Malformed(f"{what}: expected at most {limit} bytes, got {len(data)}", category=Category.SIZE_LIMIT)
    outer, end = der.only(data, 0, len(data), der.SEQUENCE, what)
    start, stop = der.expect(data, outer, end, der.SEQUENCE, what)
    _, behind = der.expect(data, stop, end, der.SEQUENCE, "signature algorithm")
    first, last = der.only(data, behind, end, der.BIT_STRING, "signature")
    return (start, stop, outer), data[stop:behind], der.read_bit_string(data[first:last], "signature")


def _repeated_algorithm(data: bytes, offset: int, end: int, algorithm: bytes) -> int:
    # RFC 5280 4.1.1.2: both must be the same; the outer one is not signed, so a difference is somebody's doing.
    _, stop = der.expect(data, offset, end, der.SEQUENCE, "signed signature algorithm")
    if data[offset:stop] != algorithm:
        raise Malformed("signature algorithm: expected the same one inside and outside of what is signed, got two")
    return stop


def _certificate_version(data: bytes, offset: int, end: int) -> tuple[int, int]:
    if offset < end and data[offset] != _VERSION:
        return 1, offset
    start, stop = der.expect(data, offset, end, _VERSION, "certificate version")
    first, last = der.only(data, start, stop, der.INTEGER, "certificate version")
    if data[first:last] != b"\x02":
        raise Malformed(f"certificate version: expected 3 (encoded 02), got {data[first:last][:8].hex()}")
    return 3, stop


def _serial(content: bytes) -> int:
    size = len(content) - (content[:1] == b"\x00")
    if size > _MAXIMUM_SERIAL:
        raise Malformed(f"serial number: expected at most {_MAXIMUM_SERIAL} bytes, got {size}")
    return der.read_integer(content, "serial number")


def _time(data: bytes, offset: int, end: int, what: str) -> tuple[datetime, int]:
    tag, start, stop = der.read(data, offset, end)
    return der.read_time(tag, data[start:stop], what), stop


def _require_end(offset: int, end: int, what: str) -> None:
    if offset != end:
        raise Malformed(f"{what}: expected no more content, got {end - offset} bytes")


def _name(data: bytes, offset: int, end: int, what: str) -> tuple[bytes, int]:
    _, stop = der.expect(data, offset, end, der.SEQUENCE, what)
    name = data[offset:stop]
    _attributes(name)
    return name, stop


@lru_cache(maxsize=64)
def _attributes(name: bytes) -> tuple[tuple[str, int, bytes], ...]:
    """Read a Name (RFC 5280 4.1.2.4) as (attribute OID, tag of the value, content of the value)."""
    attributes = []
    at, end = der.only(name, 0, len(name), der.SEQUENCE, "name")
    while at < end:
        inner, at = der.expect(name, at, end, der.SET, "relative distinguished name")
        _require_content(inner, at, "relative distinguished name")
        while inner < at:
            start, inner = der.expect(name, inner, at, der.SEQUENCE, "name attribute")
            first, last = der.expect(name, start, inner, der.OBJECT_IDENTIFIER, "name attribute type")
            tag, value, stop = der.read(name, last, inner)
            _require_end(stop, inner, "name attribute")
            attributes.append((der.read_oid(name[first:last]), tag, name[value:stop]))
    return tuple(attributes)


def _require_content(offset: int, end: int, what: str) -> None:
    if offset == end:
        raise Malformed(f"{what}: expected at least one entry, got none")


def _public_key(data: bytes, offset: int, end: int) -> tuple[bytes, int]:
    start, stop = der.expect(data, offset, end, der.SEQUENCE, "public key")
    _, behind = der.expect(data, start, stop, der.SEQUENCE, "public key algorithm")
    first, last = der.only(data, behind, stop, der.BIT_STRING, "public key bits")
    der.read_bit_string(data[first:last], "public key bits")
    return data[offset:stop], stop


def _explicit_extensions(data: bytes, offset: int, end: int, tag: int) -> tuple[Extension, ...]:
    start, stop = der.only(data, offset, end, tag, "extensions")
    return _extensions(data, start, stop)


def _extensions(data: bytes, offset: int, end: int) -> tuple[Extension, ...]:
    at, end = der.only(data, offset, end, der.SEQUENCE, "extensions")
    _require_content(at, end, "extensions")
    extensions = []
    while at < end:
        start, at = der.expect(data, at, end, der.SEQUENCE, "extension")
        extensions.append(_extension(data, start, at))
    if len({extension.oid for extension in extensions}) != len(extensions):
        raise Malformed("extensions: expected each OID at most once (RFC 5280 4.2), got one twice")
    return tuple(extensions)


def _extension(data: bytes, offset: int, end: int) -> Extension:
    first, last = der.expect(data, offset, end, der.OBJECT_IDENTIFIER, "extension OID")
    oid = der.read_oid(data[first:last])
    critical = False
    if last < end and data[last] == der.BOOLEAN:
        critical, last = _true_by_default_false(data, last, end, "extension critical")
    start, stop = der.only(data, last, end, der.OCTET_STRING, "extension value")
    return Extension(oid=oid, critical=critical, value=data[start:stop])


def _true_by_default_false(data: bytes, offset: int, end: int, what: str) -> tuple[bool, int]:
    start, stop = der.expect(data, offset, end, der.BOOLEAN, what)
    if not der.read_boolean(data[start:stop], what):
        raise Malformed(f"{what}: expected the default FALSE to be left out (X.690 11.5), got it written")
    return True, stop


def _revoked(data: bytes, offset: int, end: int) -> tuple[frozenset[int], int]:
    at, end = der.expect(data, offset, end, der.SEQUENCE, "revoked certificates")
    serials = []
    while at < end:
        start, at = der.expect(data, at, end, der.SEQUENCE, "revoked certificate")
        start, stop = der.expect(data, start, at, der.INTEGER, "revoked serial")
        serials.append(_serial(data[start:stop]))
        if oid := critical_in_entry(data[stop:at]):
            raise Malformed(f"CRL entry {serials[-1]}: critical extension {oid}", category=Category.UNSUPPORTED)
    return frozenset(serials), end


@lru_cache(maxsize=64)
def critical_in_entry(rest: bytes) -> str:
    """Read what follows the serial of a CRL entry; give the OID of a critical extension, or "".

    Intel's entries differ in nothing but their serials, so this is read once for a whole list.
    """
    _, at = _time(rest, 0, len(rest), "revocation date")
    extensions = _extensions(rest, at, len(rest)) if at < len(rest) else ()
    return next((extension.oid for extension in extensions if extension.critical), "")
