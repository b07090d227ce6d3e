"""What collateral is called in the store; here AMD's, and how its key distribution service calls it.

A name is built from enums, integers and hex of checked lengths, never from a string that came with evidence; whatever
else a path of the store says is not a name (`key_at`). URLs follow AMD 57230 (VCEK certificates and KDS), chapter 4.
"""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import ClassVar

from cvmproof.collateral.intel_keys import IntelKey, read_intel_path
from cvmproof_formats.errors import Malformed
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.tcb import Tcb
from cvmproof_formats.x509 import MAXIMUM_CERTIFICATE, MAXIMUM_CRL

# AMD 57230: a chip is named by its whole CHIP_ID, from Turin on by its first 8 bytes.
HWID_SIZES = {ProductLine.MILAN: 64, ProductLine.GENOA: 64, ProductLine.TURIN: 8}

# AMD 57230: query parameters of a VCEK request, in order, with the component each one carries; values are decimal.
_SPL_PARAMETERS = (
    ("fmcSPL", "fmc"),
    ("blSPL", "boot_loader"),
    ("teeSPL", "tee"),
    ("snpSPL", "snp"),
    ("ucodeSPL", "microcode"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VcekKey:
    """One chip's certificate at one TCB: `hwid` is 64 bytes of CHIP_ID, 8 on Turin.

    Raises Malformed for a product line that is none, another length, or a TCB the product line cannot have.
    """

    product: ProductLine
    hwid: bytes
    tcb: Tcb
    size_limit: ClassVar[int] = MAXIMUM_CERTIFICATE  # bytes

    def __post_init__(self) -> None:
        _expect_product(self.product)
        expected = HWID_SIZES[self.product]
        if not isinstance(self.hwid, bytes) or len(self.hwid) != expected:
            got = f"{len(self.hwid)} bytes" if isinstance(self.hwid, bytes) else type(self.hwid).__name__
            raise Malformed(f"hardware id of a {self.product} chip: expected {expected} bytes, got {got}")
        self.tcb.build(self.product)

    @property
    def path(self) -> PurePosixPath:
        """Where the certificate lies under a trust set's folder."""
        name = f"{self.hwid.hex()}-{self.tcb.build(self.product).hex()}.der"
        return _folder(self.product) / "vcek" / name

    @property
    def url_path(self) -> str:
        """Path and query of AMD's URL for it."""
        levels = self.tcb.components()
        query = "&".join(f"{name}={levels[part]:d}" for name, part in _SPL_PARAMETERS if part in levels)
        return f"/vcek/v1/{self.product.value}/{self.hwid.hex()}?{query}"

    @property
    def chain(self) -> "ChainKey":
        """The chain that it is verified under."""
        return ChainKey(product=self.product, kind=KeyKind.VCEK)

    def __str__(self) -> str:
        return f"VCEK of {self.product} chip {self.hwid[:8].hex()} at {self.tcb}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainKey:
    """The certificates above a leaf: ASK (for a VCEK) or ASVK (for a VLEK), and the ARK."""

    product: ProductLine
    kind: KeyKind
    size_limit: ClassVar[int] = 3 * MAXIMUM_CERTIFICATE  # bytes; two certificates in PEM

    def __post_init__(self) -> None:
        _expect_product(self.product)
        _expect_kind(self.kind)

    @property
    def path(self) -> PurePosixPath:
        """Where the chain lies under a trust set's folder (PEM)."""
        return _folder(self.product) / self.kind.value.lower() / "cert_chain.pem"

    @property
    def url_path(self) -> str:
        """Path of AMD's URL for it."""
        return f"/{self.kind.value.lower()}/v1/{self.product.value}/cert_chain"

    @property
    def chain(self) -> "ChainKey":
        """Itself: its root is pinned."""
        return self

    def __str__(self) -> str:
        return f"{self.product} {self.kind} certificate chain"


@dataclass(frozen=True, slots=True, kw_only=True)
class CrlKey:
    """The revocation list for one kind of chain; kind None is one brought by hand, of which only the ARK is known."""

    product: ProductLine
    kind: KeyKind | None
    size_limit: ClassVar[int] = MAXIMUM_CRL  # bytes

    def __post_init__(self) -> None:
        _expect_product(self.product)
        if self.kind is not None:
            _expect_kind(self.kind)

    @property
    def path(self) -> PurePosixPath:
        """Where the list lies under a trust set's folder (DER)."""
        folder = _folder(self.product)
        return (folder if self.kind is None else folder / self.kind.value.lower()) / "crl.der"

    @property
    def url_path(self) -> str:
        """Path of AMD's URL for it.

        Raises Malformed for a list without a kind: AMD serves none under such a name.
        """
        if self.kind is None:
            raise Malformed(f"{self}: expected VCEK or VLEK, got no kind; AMD serves revocation lists by kind")
        return f"/{self.kind.value.lower()}/v1/{self.product.value}/crl"

    @property
    def chain(self) -> ChainKey:
        """A chain whose root it is verified under; both kinds have the same."""
        return ChainKey(product=self.product, kind=self.kind or KeyKind.VCEK)

    def __str__(self) -> str:
        return f"{self.product} {self.kind or 'imported'} revocation list"


AmdKey = VcekKey | ChainKey | CrlKey
Wanted = AmdKey | IntelKey


def wanted_for(*, product: ProductLine, kind: KeyKind, chip_id: bytes, tcb: Tcb) -> tuple[AmdKey, ...]:
    """Name what a report's appraisal rests on: chain, revocation list and, for an unmasked chip, its certificate.

    `chip_id` is CHIP_ID, 64 bytes; `tcb` is REPORTED_TCB. A VLEK is not named: AMD gives it to the provider only.
    Raises Malformed as VcekKey does.
    """
    shared = (ChainKey(product=product, kind=kind), CrlKey(product=product, kind=kind))
    if kind is KeyKind.VLEK or not any(chip_id):
        return shared
    return (*shared, VcekKey(product=product, hwid=chip_id[: HWID_SIZES[product]], tcb=tcb))


def key_at(path: PurePosixPath) -> Wanted | None:
    """Give the key whose `path` this is, or None: a name that would be spelled otherwise is none of ours."""
    try:
        key = _read_path(path.parts)
    except (ValueError, Malformed):
        return None
    return key if key is not None and key.path == path else None


def _read_path(parts: tuple[str, ...]) -> Wanted | None:
    match parts:
        case ("amd", product, "crl.der"):
            return CrlKey(product=ProductLine(product), kind=None)
        case ("amd", product, kind, "cert_chain.pem"):
            return ChainKey(product=ProductLine(product), kind=KeyKind(kind.upper()))
        case ("amd", product, kind, "crl.der"):
            return CrlKey(product=ProductLine(product), kind=KeyKind(kind.upper()))
        case ("amd", product, "vcek", name):
            return _read_vcek_name(ProductLine(product), name)
    return read_intel_path(parts)


def _read_vcek_name(product: ProductLine, name: str) -> VcekKey:
    hwid, _, tcb = name.removesuffix(".der").partition("-")
    return VcekKey(product=product, hwid=bytes.fromhex(hwid), tcb=Tcb.read(bytes.fromhex(tcb), product))


def _folder(product: ProductLine) -> PurePosixPath:
    return PurePosixPath("amd") / product.value


def _expect_product(product: ProductLine) -> None:
    if not isinstance(product, ProductLine):
        raise Malformed(f"product line: expected one of {[p.value for p in ProductLine]}, got {type(product).__name__}")


def _expect_kind(kind: KeyKind) -> None:
    if not isinstance(kind, KeyKind):
        raise Malformed(f"key kind: expected VCEK or VLEK, got {type(kind).__name__}")
