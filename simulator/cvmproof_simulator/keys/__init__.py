"""PUBLIC TEST KEYS of the SIMULATED certificate authorities: everybody has them, so no production trust set may.

Nine RSA-4096 keys, made once at random and checked in, so that simulated evidence is the same everywhere and the
simulated trust set can pin its roots.
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from cvmproof_formats.snp.product import ProductLine
from cvmproof_simulator.rsa_pss import RsaKey, generate_key, read_key


@dataclass(frozen=True, slots=True, kw_only=True)
class CaKeys:
    """The keys of one product line: root, intermediate for VCEKs, intermediate for VLEKs."""

    ark: RsaKey
    ask: RsaKey
    asvk: RsaKey


@lru_cache
def checked_in_keys(product: ProductLine) -> CaKeys:
    """Read the checked-in keys of a product line; used for another one, they make a root that is not pinned there."""
    return CaKeys(ark=_read("ark", product), ask=_read("ask", product), asvk=_read("asvk", product))


def generate_keys() -> CaKeys:
    """Make three fresh random keys, an attacker's; takes a few seconds."""
    return CaKeys(ark=generate_key(), ask=generate_key(), asvk=generate_key())


def _read(role: str, product: ProductLine) -> RsaKey:
    return read_key((files(__name__) / f"{role}-{product.lower()}.pem").read_bytes())
