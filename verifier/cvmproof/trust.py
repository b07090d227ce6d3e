"""Trust roots: AMD's root keys, pinned by SHA-256 of their SubjectPublicKeyInfo, and Intel's as it is, compiled in.

Intel's is there in full because its own responses may leave the root certificate out: what it signed can be verified
without one.

There are two sets. `production` holds the vendors' keys. `simulated` holds keys whose private halves are published with
the simulator; it is used only when a flag or an argument names it. The sets never mix, and nothing else makes one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from types import MappingProxyType
from typing import Final, Self

from cvmproof_formats.binding import SPKI_PREFIX
from cvmproof_formats.errors import Category, Misuse
from cvmproof_formats.snp.product import ProductLine

# AMD's ARK certificates as kdsintf.amd.com serves them under /vcek/v1/<product>/cert_chain: SHA-256 of the SPKI.
_AMD_ROOT_KEYS = {
    ProductLine.MILAN: "9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9",
    ProductLine.GENOA: "429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831",
    ProductLine.TURIN: "4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08",
}

# The key of "Intel SGX Root CA", one in all three encodings of its certificate: x and y of its point on P-256.
_INTEL_ROOT_KEY = (
    "0ba9c4c0c0c86193a3fe23d6b02cda10a8bbd4e88e48b4458561a36e705525f567918e2edc88e40d860bd0cc4ee26aacc988e505a953558c"
    "453f6b0904ae7394"
)

# The PUBLIC TEST KEYs of cvmproof_simulator: anybody can sign with them.
_SIMULATED_ROOT_KEYS = {
    ProductLine.MILAN: "4e31e4e4a366f68ace69b2972ef9c212a37dca8419c95952de2c1197ee796f6a",
    ProductLine.GENOA: "ee804ea82496fa5a4ec6c7f42d30817b0c6faf6438b7d7f837d4acc35ceec114",
    ProductLine.TURIN: "9a25be256cd78bcfd2b275aa1faa773df940d1f402b2964ed5a2fb89b99c9f63",
}
_SIMULATED_INTEL_ROOT_KEY = (
    "09e1f8ed2cccd63a649f368769af28879cb1bcfb92d7b5367cc6ac70e5506c26a74acbf79b545802ce27239c6c5671fba84e9bb98449649e"
    "d1c47048913b8348"
)


# Whole root certificates, by SHA-256: each was checked to carry the signature of its own key, one of those above
# (tests/verifier/test_trust.py does it again). Another encoding of the same root is not wrong, only not known.
KNOWN_ROOTS: Final = frozenset(
    map(
        bytes.fromhex,
        (
            "69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd",  # ARK-Milan
            "4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1",  # ARK-Genoa
            "1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a",  # ARK-Turin
            "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3",  # Intel SGX Root CA, until 2049
            "fc64f8076d79a4fee9d1d473d74c89eb8d8fd55c5abafeabeba7366d20429404",  # the same until 2033
            "72f9c2498a067b1eea50222d8c95bfe8a8eb3eaa635253575cb1d31dffadb19c",  # and with a path length of 0
            "f69deaa5db28ecfb6cd21df632a9b6d062906948eb91acc68527cc2f5fb0099b",  # SIMULATED ARK-Milan
            "6334f6c3a151d82ea291f1e8b10fbd00fad9406717e88f2564affa892d358042",  # SIMULATED ARK-Genoa
            "5949979cb015c59393bb007b83c4d3663c5ce342eedea22b6d35cbe5471cd2b0",  # SIMULATED ARK-Turin
            "c3129dc62fbb0afb28a187e9d275554bddd6dc2c597d63d3170453ce6526947d",  # SIMULATED Intel SGX Root CA
        ),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Keys:
    """What is compiled in for one set."""

    ark_pins: Mapping[ProductLine, frozenset[bytes]]
    intel_root: bytes

    @property
    def intel_pins(self) -> frozenset[bytes]:
        return frozenset({sha256(self.intel_root).digest()})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrustRoots:
    """One compiled-in set of root keys; get it from `production()` or `simulated()`."""

    name: str
    ark_pins: Mapping[ProductLine, frozenset[bytes]]
    intel_root: bytes
    """SubjectPublicKeyInfo (DER, 91 bytes) of the key of "Intel SGX Root CA"."""
    intel_pins: frozenset[bytes]
    """SHA-256 of `intel_root`, by which a root certificate is known."""

    def __post_init__(self) -> None:
        known = _COMPILED_IN.get(self.name)
        if known is None or (self.ark_pins, self.intel_root, self.intel_pins) != (
            known.ark_pins,
            known.intel_root,
            known.intel_pins,
        ):
            raise Misuse("trust roots are compiled in: use TrustRoots.production() or TrustRoots.simulated()")

    @classmethod
    def production(cls) -> Self:
        """The vendors' own root keys."""
        return cls.named("production")

    @classmethod
    def simulated(cls) -> Self:
        """The simulator's root keys; everything accepted under them is marked `simulated`."""
        return cls.named("simulated")

    @classmethod
    def named(cls, name: str) -> Self:
        """Give the set that a flag named.

        Raises Misuse for any other name.
        """
        if name not in _COMPILED_IN:
            raise Misuse(f"trust set: expected production or simulated, got {name!r}")
        keys = _COMPILED_IN[name]
        return cls(name=name, ark_pins=keys.ark_pins, intel_root=keys.intel_root, intel_pins=keys.intel_pins)


def set_of_root(product: ProductLine, spki_sha256: bytes) -> str | None:
    """Name the compiled-in set that pins this key as the root of this product line, if any does."""
    return next((name for name, keys in _COMPILED_IN.items() if spki_sha256 in keys.ark_pins[product]), None)


def intel_set_of_root(spki_sha256: bytes) -> str | None:
    """Name the compiled-in set that pins this key as Intel's root, if any does."""
    return next((name for name, keys in _COMPILED_IN.items() if spki_sha256 in keys.intel_pins), None)


def is_known_root(certificate: bytes) -> bool:
    """Tell whether these very bytes (DER) are a root certificate whose own signature is known to hold.

    It says nothing about trust: that follows from the set that pins the key.
    """
    return sha256(certificate).digest() in KNOWN_ROOTS


def refuse_trust_from(source: str, value: str) -> None:
    """Refuse a trust set that the environment or a configuration file tries to choose.

    Raises Misuse (SIMULATED), always: only a command-line flag or an argument names a trust set.
    """
    raise Misuse(
        f"{source} names the trust set {value!r}: only --trust or an API argument can", category=Category.SIMULATED
    )


def _pins(keys: Mapping[ProductLine, str]) -> Mapping[ProductLine, frozenset[bytes]]:
    return MappingProxyType({product: frozenset({bytes.fromhex(key)}) for product, key in keys.items()})


def _keys(arks: Mapping[ProductLine, str], intel_root: str) -> _Keys:
    return _Keys(ark_pins=_pins(arks), intel_root=SPKI_PREFIX + bytes.fromhex(intel_root))


_COMPILED_IN = MappingProxyType(
    {
        "production": _keys(_AMD_ROOT_KEYS, _INTEL_ROOT_KEY),
        "simulated": _keys(_SIMULATED_ROOT_KEYS, _SIMULATED_INTEL_ROOT_KEY),
    }
)
INTEL_ROOT_KEYS: Final = frozenset(keys.intel_root for keys in _COMPILED_IN.values())
"""SubjectPublicKeyInfo (DER) of every key of Intel's root that is compiled in."""
