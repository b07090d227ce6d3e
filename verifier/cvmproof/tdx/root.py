"""The root of Intel's hierarchy: its certificate, what is wrong with it, and which compiled-in set pins its key.

A root that is compiled in, the certificate by its SHA-256 or the key as it is, is read once in a process. Whatever else
claims to be one is a pure function of bytes like everything in a chain, and remembered with the chain.
"""

import hashlib
from functools import lru_cache

from cvmproof.tdx.link import link_problem
from cvmproof.tdx.profile import root_problem
from cvmproof.trust import KNOWN_ROOTS, intel_set_of_root, is_known_root
from cvmproof_formats.errors import Malformed
from cvmproof_formats.pem import read_pem, write_pem
from cvmproof_formats.record import record
from cvmproof_formats.tdx.certificate import read_intel_certificate
from cvmproof_formats.x509 import Certificate


@record(eq=False)
class Root:
    """A certificate in the place of the root, and what is wrong with it; "" where nothing is.

    `key_sha256` is that of its SubjectPublicKeyInfo; `pinned_in` names the compiled-in trust set that has this key.
    """

    certificate: Certificate
    problem: str
    signature_problem: str
    key_sha256: bytes
    pinned_in: str | None


_BEGIN = b"-----BEGIN CERTIFICATE-----\n"


def cut_root(chain: bytes) -> tuple[bytes, Root | None]:
    """Cut a root that is known off the end of a chain in PEM; None where another stands there, or in another form."""
    rest, begin, last = chain.rpartition(_BEGIN)
    # A line break before it: without one, it is no block of its own.
    root = written_root(begin + last) if rest.endswith(b"\n") else None
    return (chain, None) if root is None else (rest, root)


@lru_cache(maxsize=2 * len(KNOWN_ROOTS))
def written_root(text: bytes) -> Root | None:
    """Give the known root whose PEM this is, to the last byte; None for any other text."""
    try:
        der = read_pem(text)[0]
    except Malformed:
        return None
    return known_root(der) if is_known_root(der) and write_pem(der) == text else None


def examine_root(der: bytes) -> Root:
    """Examine one certificate (DER) as a root.

    Raises Malformed for what is no certificate.
    """
    return known_root(der) if is_known_root(der) else _examine(der)


@lru_cache(maxsize=len(KNOWN_ROOTS))
def known_root(der: bytes) -> Root:
    """Give a root certificate whose own signature is known to hold; its bytes are compiled in, so this is no cache."""
    return _examine(der)


def _examine(der: bytes) -> Root:
    certificate = read_intel_certificate(der)
    key_sha256 = hashlib.sha256(certificate.spki).digest()
    return Root(
        certificate=certificate,
        problem=root_problem(certificate),
        signature_problem="" if is_known_root(der) else link_problem(certificate, certificate),
        key_sha256=key_sha256,
        pinned_in=intel_set_of_root(key_sha256),
    )
