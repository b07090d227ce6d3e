"""Intel's certificate hierarchy: who signs what, and what each kind of certificate looks like.

Follows "Intel SGX PCK Certificate and Certificate Revocation List Profile Specification" 1.5, and the certificates that
Intel hands out; where the two leave a choice, the certificates. Everything is ECDSA on P-256 with SHA-256.
"""

from dataclasses import dataclass
from typing import Final

from cvmproof_formats import der
from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.tdx.authority import PLATFORM_NAME, PROCESSOR_NAME, ROOT_NAME, TCB_SIGNING_NAME, Ca
from cvmproof_formats.x509 import (
    AUTHORITY_KEY_IDENTIFIER,
    BASIC_CONSTRAINTS,
    COMMON_NAME,
    CRL_DISTRIBUTION_POINTS,
    KEY_USAGE,
    SUBJECT_KEY_IDENTIFIER,
    BasicConstraints,
    Extension,
    KeyUsage,
    common_name,
)

__all__ = [
    "ECDSA_SHA256",
    "KNOWN_NAMES",
    "ORGANIZATION",
    "PCK",
    "PCK_NAME",
    "PLATFORM_CA",
    "PLATFORM_NAME",
    "PROCESSOR_CA",
    "PROCESSOR_NAME",
    "PROFILES",
    "ROOT",
    "ROOT_CRL_URI",
    "ROOT_NAME",
    "SGX_EXTENSIONS",
    "SIMULATED_ORGANIZATION",
    "TCB_SIGNING",
    "TCB_SIGNING_NAME",
    "Ca",
    "Profile",
    "build_extensions",
    "build_name",
    "common_name_of",
    "issuing_ca",
]

SGX_EXTENSIONS: Final = "1.2.840.113741.1.13.1"
"""OID of the extension that only a PCK certificate has."""

ECDSA_SHA256: Final = der.sequence(der.oid("1.2.840.10045.4.3.2"))
"""AlgorithmIdentifier of ecdsa-with-SHA256: no parameters (RFC 5758 section 3.2)."""

PCK_NAME: Final = "Intel SGX PCK Certificate"

ORGANIZATION: Final = "Intel Corporation"
SIMULATED_ORGANIZATION: Final = "SIMULATED Intel Corporation"
"""What the simulator's certificates name instead: no key of theirs is Intel's."""

ROOT_CRL_URI: Final = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"
_PCK_CRL_URI = "https://api.trustedservices.intel.com/sgx/certification/v4/pckcrl?ca={}&encoding=der"

_COUNTRY, _LOCALITY, _STATE, _ORGANIZATION = "2.5.4.6", "2.5.4.7", "2.5.4.8", "2.5.4.10"  # RFC 5280 appendix A.1
_FULL_NAME, _URI = 0, 0x86  # fullName [0] of a DistributionPointName, uniformResourceIdentifier [6] of a GeneralName
_KEY_IDENTIFIER = 0x80  # keyIdentifier [0], RFC 5280 4.2.1.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What one kind of certificate says: names, key usage and basic constraints (both critical), CRL, extensions."""

    subject: str
    """Common name; the rest of the name is the same everywhere."""
    issuers: tuple[str, ...]
    key_usage: KeyUsage
    basic_constraints: BasicConstraints
    crl_uris: tuple[str, ...]
    """Where the list that could revoke it stands, one for each issuer."""
    extensions: tuple[str, ...]
    """OIDs in Intel's order; all are there, and there are no others."""


_AUTHORITY = KeyUsage(key_cert_sign=True, crl_sign=True)
_SIGNER = KeyUsage(digital_signature=True, content_commitment=True)
_EXTENSIONS = (
    AUTHORITY_KEY_IDENTIFIER,
    CRL_DISTRIBUTION_POINTS,
    SUBJECT_KEY_IDENTIFIER,
    KEY_USAGE,
    BASIC_CONSTRAINTS,
)

# PCK certificate profile specification. Three encodings of the root are in circulation, with one key: two
# that end in 2033 name IntelSGXRootCA.crl, and one of these has a path length of 0, which its own hierarchy exceeds.
ROOT: Final = Profile(
    subject=ROOT_NAME,
    issuers=(ROOT_NAME,),
    key_usage=_AUTHORITY,
    basic_constraints=BasicConstraints(ca=True, path_length=1),
    crl_uris=(ROOT_CRL_URI,),
    extensions=_EXTENSIONS,
)
PLATFORM_CA: Final = Profile(
    subject=PLATFORM_NAME,
    issuers=(ROOT_NAME,),
    key_usage=_AUTHORITY,
    basic_constraints=BasicConstraints(ca=True, path_length=0),
    crl_uris=(ROOT_CRL_URI,),
    extensions=_EXTENSIONS,
)
PROCESSOR_CA: Final = Profile(
    subject=PROCESSOR_NAME,
    issuers=(ROOT_NAME,),
    key_usage=_AUTHORITY,
    basic_constraints=BasicConstraints(ca=True, path_length=0),
    crl_uris=(ROOT_CRL_URI,),
    extensions=_EXTENSIONS,
)
TCB_SIGNING: Final = Profile(
    subject=TCB_SIGNING_NAME,
    issuers=(ROOT_NAME,),
    key_usage=_SIGNER,
    basic_constraints=BasicConstraints(ca=False),
    crl_uris=(ROOT_CRL_URI,),
    extensions=_EXTENSIONS,
)
# The list's address says v3 in older certificates, and another host in those of test platforms.
PCK: Final = Profile(
    subject=PCK_NAME,
    issuers=(PLATFORM_NAME, PROCESSOR_NAME),
    key_usage=_SIGNER,
    basic_constraints=BasicConstraints(ca=False),
    crl_uris=(_PCK_CRL_URI.format(Ca.PLATFORM), _PCK_CRL_URI.format(Ca.PROCESSOR)),
    extensions=(*_EXTENSIONS, SGX_EXTENSIONS),
)
PROFILES: Final = (ROOT, PLATFORM_CA, PROCESSOR_CA, TCB_SIGNING, PCK)
_CAS: Final = {PLATFORM_NAME: Ca.PLATFORM, PROCESSOR_NAME: Ca.PROCESSOR}


def issuing_ca(issuer: bytes) -> Ca:
    """Tell from a Name (DER), the issuer of a PCK certificate or of a CRL, which authority it is.

    Raises Malformed, with category CHAIN for any other name.
    """
    name = common_name_of(issuer)
    try:
        return _CAS[name]
    except KeyError:
        raise Malformed(
            f"issuer: expected {PLATFORM_NAME!r} or {PROCESSOR_NAME!r}, got {name[:80]!a}", category=Category.CHAIN
        ) from None


def build_name(common: str, organization: str = ORGANIZATION) -> bytes:
    """Write a Name (DER) as Intel's certificates have it, with this common name."""
    texts = {
        COMMON_NAME: der.utf8(common),
        _ORGANIZATION: der.utf8(organization),
        _LOCALITY: der.utf8("Santa Clara"),
        _STATE: der.utf8("CA"),
        _COUNTRY: der.printable("US"),
    }
    return der.sequence(*(der.set_of(der.sequence(der.oid(oid), text)) for oid, text in texts.items()))


KNOWN_NAMES: Final = {
    build_name(profile.subject, organization): profile.subject
    for organization in (ORGANIZATION, SIMULATED_ORGANIZATION)
    for profile in PROFILES
}
"""The common name of each Name that a certificate of Intel's has, and that a simulated one has."""


def common_name_of(name: bytes) -> str:
    """Give the common name in a Name (DER); raises Malformed as `common_name` does."""
    return KNOWN_NAMES.get(name) or common_name(name)


def build_extensions(
    profile: Profile, *, authority_key_id: bytes, subject_key_id: bytes, crl_uri: str, sgx: bytes = b""
) -> tuple[Extension, ...]:
    """Write the extensions of a certificate in Intel's order; `sgx` is the content of a PCK certificate's own one.

    A key identifier is the SHA-1 of the point with its 0x04 (RFC 5280 4.2.1.2, method 1): 20 bytes.
    """
    written = {
        AUTHORITY_KEY_IDENTIFIER: Extension(
            oid=AUTHORITY_KEY_IDENTIFIER, value=der.sequence(der.tlv(_KEY_IDENTIFIER, authority_key_id))
        ),
        CRL_DISTRIBUTION_POINTS: Extension(oid=CRL_DISTRIBUTION_POINTS, value=_distribution_point(crl_uri)),
        SUBJECT_KEY_IDENTIFIER: Extension(oid=SUBJECT_KEY_IDENTIFIER, value=der.octet_string(subject_key_id)),
        KEY_USAGE: profile.key_usage.build(shortest=True),
        BASIC_CONSTRAINTS: profile.basic_constraints.build(),
        SGX_EXTENSIONS: Extension(oid=SGX_EXTENSIONS, value=sgx),
    }
    return tuple(written[oid] for oid in profile.extensions)


def _distribution_point(uri: str) -> bytes:
    name = der.explicit(_FULL_NAME, der.tlv(_URI, uri.encode("ascii")))
    return der.sequence(der.sequence(der.explicit(0, name)))
