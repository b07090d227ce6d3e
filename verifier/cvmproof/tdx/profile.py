"""Intel's certificate profile: what each kind of certificate in the hierarchy must look like.

Follows `cvmproof_formats.tdx.hierarchy`, where each profile is declared. Each function gives what is wrong in words, or
"" where nothing is; keys and signatures are other questions.
"""

from operator import itemgetter
from typing import NamedTuple

from cvmproof.signature import load_p256_key
from cvmproof_formats.errors import Malformed
from cvmproof_formats.tdx.hierarchy import (
    ECDSA_SHA256,
    KNOWN_NAMES,
    PCK,
    PLATFORM_CA,
    PROCESSOR_CA,
    PROFILES,
    ROOT,
    TCB_SIGNING,
    Profile,
    common_name_of,
)
from cvmproof_formats.tdx.pck import read_pck
from cvmproof_formats.x509 import (
    BASIC_CONSTRAINTS,
    KEY_USAGE,
    BasicConstraints,
    Certificate,
    Extension,
    KeyUsage,
    basic_constraints,
    key_usage,
)

_X509_V3 = 3
_CRITICAL = frozenset({BASIC_CONSTRAINTS, KEY_USAGE})
# The three encodings of Intel's root differ in their path length.
_ROOT_CONSTRAINTS = (ROOT.basic_constraints, BasicConstraints(ca=True, path_length=0), BasicConstraints(ca=True))
# What the key usages of Intel's profiles say, by their values.
_USAGES = {profile.key_usage.build(shortest=True).value: profile.key_usage for profile in PROFILES}
_AUTHORITIES = {profile.subject: profile for profile in (PLATFORM_CA, PROCESSOR_CA)}
_kind = itemgetter(0, 2)  # of an extension: its OID, and whether it is critical


class _Usual(NamedTuple):
    """The extensions that nearly every certificate of a profile has: what kinds in which order, and what two say."""

    kinds: list[tuple[str, bool]]
    fixed: tuple[Extension, Extension]
    at: slice


def _usual(profile: Profile) -> _Usual:
    fixed = profile.key_usage.build(shortest=True), profile.basic_constraints.build()
    first = profile.extensions.index(KEY_USAGE)
    kinds = [(oid, oid in _CRITICAL) for oid in profile.extensions]
    return _Usual(kinds, fixed, slice(first, first + len(fixed)))


_USUAL = {profile.subject: _usual(profile) for profile in PROFILES}


def name_of(name: bytes) -> str:
    """Give a name's common name, "" where it has none that can be read."""
    try:
        return common_name_of(name)
    except Malformed:
        return ""


def root_problem(certificate: Certificate) -> str:
    """Say what keeps a certificate from being Intel's root, its key aside."""
    if certificate.subject != certificate.issuer:
        return "its issuer is not its subject"
    return _problem(certificate, ROOT, _ROOT_CONSTRAINTS)


def authority_problem(certificate: Certificate) -> str:
    """Say what keeps a certificate from being that of a PCK CA, of platforms or of processors."""
    profile = _AUTHORITIES.get(name_of(certificate.subject))
    if profile is None:
        return f"its name is {name_of(certificate.subject)!r}, not {' or '.join(_AUTHORITIES)}"
    return _problem(certificate, profile, (profile.basic_constraints,))


def signer_problem(certificate: Certificate) -> str:
    """Say what keeps a certificate from being that of the key which signs TCB info and QE identities."""
    return _problem(certificate, TCB_SIGNING, (TCB_SIGNING.basic_constraints,))


def pck_problem(certificate: Certificate) -> str:
    """Say what keeps a certificate from being a PCK's."""
    problem = _problem(certificate, PCK, (PCK.basic_constraints,))
    if problem:
        return problem
    try:
        read_pck(certificate)
    except Malformed as error:
        return str(error)
    return ""


def is_signer(certificate: Certificate) -> bool:
    """Tell whether a certificate is named as that of the key which signs TCB info and QE identities."""
    return name_of(certificate.subject) == TCB_SIGNING.subject


def _problem(certificate: Certificate, profile: Profile, constraints: tuple[BasicConstraints, ...]) -> str:
    shape = "" if _is_usual(certificate, profile) else _shape_problem(certificate, profile, constraints)
    return shape or _key_problem(certificate)


def _key_problem(certificate: Certificate) -> str:
    try:
        load_p256_key(certificate.spki)
    except Malformed as error:
        return str(error)
    return ""


def _is_usual(certificate: Certificate, profile: Profile) -> bool:
    """Tell at once that a certificate fits its profile; of one that is not usual, each point is looked at."""
    usual, extensions = _USUAL[profile.subject], certificate.extensions
    return (
        KNOWN_NAMES.get(certificate.subject) == profile.subject
        and KNOWN_NAMES.get(certificate.issuer) in profile.issuers
        and certificate.version == _X509_V3
        and certificate.signature_algorithm == ECDSA_SHA256
        and extensions[usual.at] == usual.fixed
        and [*map(_kind, extensions)] == usual.kinds
    )


def _shape_problem(certificate: Certificate, profile: Profile, constraints: tuple[BasicConstraints, ...]) -> str:
    names = name_of(certificate.subject), name_of(certificate.issuer)
    if names[0] != profile.subject or names[1] not in profile.issuers:
        return f"it is named {names[0]!r} by {names[1]!r}, not {profile.subject} by {' or '.join(profile.issuers)}"
    if certificate.version != _X509_V3 or certificate.signature_algorithm != ECDSA_SHA256:
        return "not X.509 version 3, signed with ECDSA and SHA-256"
    try:
        found, usage = basic_constraints(certificate), usage_of(certificate)
    except Malformed as error:
        return str(error)
    if found not in constraints:
        return f"its basic constraints are {found or 'missing'}"
    if usage != profile.key_usage:
        return f"its key usage is {usage or 'missing'}"
    return _extensions_problem(certificate, profile)


def usage_of(certificate: Certificate) -> KeyUsage | None:
    """Give a certificate's key usage, None where it has none; raises Malformed for one that can't be read."""
    extension = certificate.extension(KEY_USAGE)
    known = _USAGES.get(extension.value) if extension else None
    return key_usage(certificate) if known is None else known


def _extensions_problem(certificate: Certificate, profile: Profile) -> str:
    # Nearly always in Intel's order; in another one they are the same.
    present = tuple([extension.oid for extension in certificate.extensions])
    if present != profile.extensions and (odd := sorted(set(present) ^ set(profile.extensions))):
        return f"its extensions are not those of the profile: {odd[0]}"
    critical = {extension.oid for extension in certificate.extensions if extension.critical}
    return "" if critical == _CRITICAL else f"critical extensions {', '.join(sorted(critical)) or 'none'}"
