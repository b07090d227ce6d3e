"""The root of AMD's hierarchy: its certificate, what is wrong with it, and which compiled-in set pins its key.

A root that is compiled in, the certificate by its SHA-256, is read once in a process. Whatever else claims to be one is
a pure function of bytes like everything in a chain, and remembered with the chain.
"""

import hashlib
from functools import lru_cache

from cvmproof.snp.profile import root_problem, root_product
from cvmproof.trust import KNOWN_ROOTS, is_known_root, set_of_root
from cvmproof_formats.record import record
from cvmproof_formats.snp.product import ProductLine
from cvmproof_formats.x509 import Certificate, read_certificate


@record(eq=False)
class Root:
    """A certificate in the place of the root, and what is wrong with it, "" where nothing is; its own signature aside.

    `key_sha256` is that of its SubjectPublicKeyInfo; `pinned_in` names the compiled-in trust set that has this key for
    the product line that its name says; `is_known` tells whether its own signature is known to hold.
    """

    certificate: Certificate
    problem: str
    product: ProductLine | None
    key_sha256: bytes
    pinned_in: str | None
    is_known: bool


def examine_root(certificate: Certificate) -> Root:
    """Examine one certificate as a root."""
    return known_root(certificate.der) if is_known_root(certificate.der) else _examine(certificate)


@lru_cache(maxsize=len(KNOWN_ROOTS))
def known_root(der: bytes) -> Root:
    """Give a root certificate whose own signature is known to hold; its bytes are compiled in, so this is no cache."""
    return _examine(read_certificate(der))


def _examine(certificate: Certificate) -> Root:
    product, key_sha256 = root_product(certificate), hashlib.sha256(certificate.spki).digest()
    return Root(
        certificate=certificate,
        problem=root_problem(certificate),
        product=product,
        key_sha256=key_sha256,
        pinned_in=set_of_root(product, key_sha256) if product else None,
        is_known=is_known_root(certificate.der),
    )
