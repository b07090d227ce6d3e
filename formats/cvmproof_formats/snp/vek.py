"""What AMD's endorsement certificates say about themselves: the extensions of a VCEK or VLEK.

Follows AMD 57230 section 3 (VCEK) and AMD 58369 (VLEK). The set of extensions is exact for its structure version, which
belongs to the product line: 0 for Milan and Genoa, 1 for Turin. Every one is non-critical, and there are no others.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cvmproof_formats import der
from cvmproof_formats.errors import Malformed
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.tcb import MAXIMUM_SPL, Tcb
from cvmproof_formats.x509 import Extension

AMD_ARC: Final = "1.3.6.1.4.1.3704.1"
STRUCT_VERSION: Final = f"{AMD_ARC}.1"
PRODUCT_NAME: Final = f"{AMD_ARC}.2"
BOOT_LOADER_SPL: Final = f"{AMD_ARC}.3.1"
TEE_SPL: Final = f"{AMD_ARC}.3.2"
SNP_SPL: Final = f"{AMD_ARC}.3.3"
SPL_4: Final = f"{AMD_ARC}.3.4"
SPL_5: Final = f"{AMD_ARC}.3.5"
SPL_6: Final = f"{AMD_ARC}.3.6"
SPL_7: Final = f"{AMD_ARC}.3.7"
MICROCODE_SPL: Final = f"{AMD_ARC}.3.8"
FMC_SPL: Final = f"{AMD_ARC}.3.9"
HWID: Final = f"{AMD_ARC}.4"
CSP_ID: Final = f"{AMD_ARC}.5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One structure version: its security patch levels in the order AMD writes them, and the length of hwID in bytes.

    A patch level is the name of a TCB component, or None where the extension is reserved and says 0.
    """

    patch_levels: dict[str, str | None]
    hwid_size: int


# AMD 57230 section 3, extensions of the VCEK by structure version.
_MILAN_GENOA = Profile(
    patch_levels={
        BOOT_LOADER_SPL: "boot_loader",
        TEE_SPL: "tee",
        SPL_4: None,
        SPL_5: None,
        SPL_6: None,
        SPL_7: None,
        SNP_SPL: "snp",
        MICROCODE_SPL: "microcode",
    },
    hwid_size=64,
)
_TURIN = Profile(
    patch_levels={
        FMC_SPL: "fmc",
        BOOT_LOADER_SPL: "boot_loader",
        TEE_SPL: "tee",
        SNP_SPL: "snp",
        SPL_5: None,
        SPL_6: None,
        SPL_7: None,
        MICROCODE_SPL: "microcode",
    },
    hwid_size=8,
)
PROFILES: Final = {0: _MILAN_GENOA, 1: _TURIN}
STRUCT_VERSIONS: Final = {ProductLine.MILAN: 0, ProductLine.GENOA: 0, ProductLine.TURIN: 1}

# "Milan-B0": the line, and for some a stepping that does not tell anything (Milan-X says B0 too).
_PRODUCT_NAME = re.compile(r"([A-Za-z]+)(?:-[A-Z][0-9])?")
_MAXIMUM_CSP_ID = 128  # characters; the ones seen have 29
_MAXIMUM_MICROCODE_SPL = 255  # AMD 57230: the microcode's level is the low byte of its patch id


@dataclass(frozen=True, slots=True, kw_only=True)
class VekIdentity:
    """What a VCEK or VLEK certificate says: exactly one of `hwid` (VCEK) and `csp_id` (VLEK) is there."""

    product: ProductLine
    product_name: str
    struct_version: int
    kind: KeyKind
    tcb: Tcb
    hwid: bytes | None = None
    """64 bytes, on Turin 8: the start of CHIP_ID."""
    csp_id: str | None = None
    """The provider that loaded the key, like "CN=cc-us-east-2.amazonaws.com"."""


def read_vek(extensions: Iterable[Extension]) -> VekIdentity:
    """Read the extensions of a VCEK or VLEK certificate, in any order.

    Raises Malformed unless they are exactly the set of their structure version, each once, non-critical, of the right
    ASN.1 type and in range, and the structure version is the one of the product line.
    """
    values = _values_by_oid(extensions)
    struct_version = _integer(values, STRUCT_VERSION, max(PROFILES))
    product, product_name = _product(_ia5(values, PRODUCT_NAME))
    if struct_version != STRUCT_VERSIONS[product]:
        raise Malformed(f"structVersion: expected {STRUCT_VERSIONS[product]} for {product}, got {struct_version}")
    profile = PROFILES[struct_version]
    identity = VekIdentity(
        product=product,
        product_name=product_name,
        struct_version=struct_version,
        kind=KeyKind.VLEK if CSP_ID in values else KeyKind.VCEK,
        tcb=_tcb(values, profile),
        hwid=None if CSP_ID in values else _hwid(_take(values, HWID), profile.hwid_size),
        csp_id=_csp_id(values) if CSP_ID in values else None,
    )
    if values:
        raise Malformed(
            f"extensions of a {identity.kind} of {product}: {', '.join(sorted(values))} do not belong there"
        )
    return identity


def build_extensions(identity: VekIdentity) -> tuple[Extension, ...]:
    """Write the extensions in AMD's order.

    Values are not checked, so that a test can state wrong ones; raises KeyError for a structure version that is neither
    0 nor 1 and for a TCB without a component it needs.
    """
    levels = PROFILES[identity.struct_version].patch_levels
    found = [
        Extension(oid=STRUCT_VERSION, value=der.integer(identity.struct_version)),
        Extension(oid=PRODUCT_NAME, value=der.ia5_string(identity.product_name)),
    ]
    components = identity.tcb.components()
    found += (Extension(oid=oid, value=der.integer(components[name] if name else 0)) for oid, name in levels.items())
    if identity.hwid is not None:
        found.append(Extension(oid=HWID, value=identity.hwid))
    if identity.csp_id is not None:
        found.append(Extension(oid=CSP_ID, value=der.ia5_string(identity.csp_id)))
    return tuple(found)


def _values_by_oid(extensions: Iterable[Extension]) -> dict[str, bytes]:
    values: dict[str, bytes] = {}
    for extension in extensions:
        if extension.critical:
            raise Malformed(f"extension {extension.oid}: expected it non-critical (AMD 57230 section 3), got critical")
        if extension.oid in values:
            raise Malformed(f"extension {extension.oid}: expected it once, got it twice")
        values[extension.oid] = extension.value
    return values


def _take(values: dict[str, bytes], oid: str) -> bytes:
    try:
        return values.pop(oid)
    except KeyError:
        raise Malformed(f"extension {oid}: expected it (AMD 57230 section 3), got none") from None


def _integer(values: dict[str, bytes], oid: str, limit: int) -> int:
    data = _take(values, oid)
    number = _SMALL.get(data)
    if number is None:
        start, stop = der.only(data, 0, len(data), der.INTEGER, oid)
        number = der.read_integer(data[start:stop], oid)
    if number > limit:
        raise Malformed(f"extension {oid}: expected 0..{limit}, got {number}")
    return number


_SMALL = {bytes((der.INTEGER, 1, number)): number for number in range(0x80)}
"""INTEGERs of one byte, as nearly every level is one, by how they are written (X.690 8.3)."""


def _ia5(values: dict[str, bytes], oid: str) -> str:
    data = _take(values, oid)
    start, stop = der.only(data, 0, len(data), der.IA5_STRING, oid)
    text = data[start:stop].decode("latin-1")
    if not text.isascii() or not text.isprintable():
        raise Malformed(f"extension {oid}: expected printable ASCII, got {text[:40]!a}")
    return text


def _product(name: str) -> tuple[ProductLine, str]:
    found = _PRODUCT_NAME.fullmatch(name)
    for product in ProductLine:
        if found is not None and found[1] == product.value:
            return product, name
    raise Malformed(f'productName: expected a product line like "Genoa" or "Milan-B0", got {name[:40]!a}')


def _tcb(values: dict[str, bytes], profile: Profile) -> Tcb:
    levels: dict[str, int] = {}
    for oid, name in profile.patch_levels.items():
        if name is None:
            _integer(values, oid, 0)
        else:
            levels[name] = _integer(values, oid, _MAXIMUM_MICROCODE_SPL if name == "microcode" else MAXIMUM_SPL)
    return Tcb(**levels)


def _hwid(data: bytes, size: int) -> bytes:
    # Raw in every genuine certificate seen, and raw bytes may begin like an ASN.1 element: so the length decides first.
    if len(data) == size:
        return data
    wrapper = bytes((der.OCTET_STRING, size))
    if len(data) == len(wrapper) + size and data.startswith(wrapper):
        return data[len(wrapper) :]
    raise Malformed(f"hwID: expected {size} bytes, raw or in an OCTET STRING, got {len(data)}")


def _csp_id(values: dict[str, bytes]) -> str:
    csp_id = _ia5(values, CSP_ID)
    if not 1 <= len(csp_id) <= _MAXIMUM_CSP_ID:
        raise Malformed(f"cspID: expected 1 to {_MAXIMUM_CSP_ID} characters, got {len(csp_id)}")
    return csp_id
