"""AMD's certificate hierarchy: which certificates there are, and what is the same in all of a kind.

Follows AMD 57230 and 58369, certificate profiles, and the certificates that AMD hands out. What signs another is RSA of
4096 bits, what signs reports ECDSA on P-384.
"""

from functools import lru_cache
from typing import Final

from cvmproof_formats import der
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.x509 import COMMON_NAME, common_name

ORGANIZATION: Final = "Advanced Micro Devices"
SIMULATED_ORGANIZATION: Final = "SIMULATED Advanced Micro Devices"
"""What the simulator's certificates name instead: no key of theirs is AMD's."""

# Certificate profiles, common names: ARK, ASK and ASVK, VCEK and VLEK.
ROOTS: Final = {f"ARK-{product}": product for product in ProductLine}
INTERMEDIATES: Final = {
    f"SEV-{between}{product}": (product, kind)
    for between, kind in (("", KeyKind.VCEK), ("VLEK-", KeyKind.VLEK))
    for product in ProductLine
}
LEAVES: Final = {f"SEV-{kind}": kind for kind in KeyKind}

P384_START: Final = bytes.fromhex("3076301006072a8648ce3d020106052b8104002203620004")
"""SubjectPublicKeyInfo of an uncompressed point on P-384 (RFC 5480): all before x and y."""
RSA_START: Final = bytes.fromhex("30820222300d06092a864886f70d01010105000382020f003082020a0282020100")
RSA_END: Final = bytes.fromhex("0203010001")
"""That of a modulus of 4096 bits and the exponent 65537 (RFC 8017 A.1.1): all before and behind the modulus."""

# RFC 5280 appendix A.1: unit, country, locality, state, organization, in AMD's order.
_BEFORE_COMMON = ("2.5.4.11", "2.5.4.6", "2.5.4.7", "2.5.4.8", "2.5.4.10")
_COMMON_NAME = der.oid(COMMON_NAME)


def build_name(common: str, organization: str = ORGANIZATION) -> bytes:
    """Write a Name (DER) as AMD's certificates have it, with this common name."""
    return der.sequence(_before_common(organization), _attribute(_COMMON_NAME, der.utf8(common)))


@lru_cache(maxsize=16)
def _before_common(organization: str) -> bytes:
    texts = (
        der.utf8("Engineering"),
        der.printable("US"),
        der.utf8("Santa Clara"),
        der.utf8("CA"),
        der.utf8(organization),
    )
    return b"".join(map(_attribute, map(der.oid, _BEFORE_COMMON), texts))


def _attribute(oid: bytes, text: bytes) -> bytes:
    return der.set_of(der.sequence(oid, text))


KNOWN_NAMES: Final = {
    build_name(common, organization): common
    for organization in (ORGANIZATION, SIMULATED_ORGANIZATION)
    for common in (*ROOTS, *INTERMEDIATES, *LEAVES)
}
"""The common name of each Name that a certificate of AMD's has, and that a simulated one has."""


def common_name_of(name: bytes) -> str:
    """Give the common name in a Name (DER); raises Malformed as `common_name` does."""
    return KNOWN_NAMES.get(name) or common_name(name)
