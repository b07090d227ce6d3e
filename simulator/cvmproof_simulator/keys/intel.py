"""PUBLIC TEST KEYS of the SIMULATED Intel authorities: four P-256 keys, made once at random and checked in.

As with the others, everybody has them, so no production trust set may.
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class IntelKeys:
    """The keys of the root, the two authorities for PCK certificates, and the signer of TCB info."""

    root: ec.EllipticCurvePrivateKey
    platform: ec.EllipticCurvePrivateKey
    processor: ec.EllipticCurvePrivateKey
    tcb_signing: ec.EllipticCurvePrivateKey

    def __repr__(self) -> str:
        return "<SIMULATED Intel keys>"


@lru_cache
def checked_in_intel_keys() -> IntelKeys:
    """Read the checked-in keys."""
    return IntelKeys(
        root=_read("root"), platform=_read("platform"), processor=_read("processor"), tcb_signing=_read("tcb-signing")
    )


def generate_intel_keys() -> IntelKeys:
    """Make four fresh random keys, an attacker's."""
    root, platform, processor, tcb_signing = (ec.generate_private_key(ec.SECP256R1()) for _ in range(4))
    return IntelKeys(root=root, platform=platform, processor=processor, tcb_signing=tcb_signing)


def _read(role: str) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key((files("cvmproof_simulator.keys") / f"intel-{role}.pem").read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"expected an EC key, got {type(key).__name__}")
    return key
