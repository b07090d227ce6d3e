"""What a policy says about SEV-SNP, version 1: every field declared once, with how it is read and what it means."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from cvmproof.policy.floors import PROFILES, FloorProfile, ProductFloor
from cvmproof.policy.rules import Permission, Rules, demands_of_bits, read_rules, rule
from cvmproof.policy.values import (
    ANY,
    Any_,
    Demand,
    choice,
    dotted,
    hexadecimal,
    integer,
    or_any,
    set_of,
    set_or_none,
    table,
    text,
    wrong,
)
from cvmproof_formats.errors import Misuse
from cvmproof_formats.snp.guest_policy import GUEST_POLICY_BITS
from cvmproof_formats.snp.platform_info import PLATFORM_INFO_BITS
from cvmproof_formats.snp.product import KeyKind, Part, ProductLine, parts_of
from cvmproof_formats.snp.report import VERSIONS
from cvmproof_formats.snp.tcb import MAXIMUM_SPL


class Allowance(StrEnum):
    """Whether parts of a product line are taken: never, only chips named in `chip_ids`, or any."""

    FORBIDDEN = "forbidden"
    PINNED = "pinned"
    ALLOWED = "allowed"


class CommittedFirmware(StrEnum):
    """How committed firmware must relate to the firmware that runs."""

    EQUAL = "equal"
    AT_MOST_CURRENT = "at-most-current"
    ANY = "any"


PRODUCT_NAMES = tuple(ProductLine)
_COMPONENTS = ("boot_loader", "tee", "snp", "microcode")
_MITIGATION_BITS = 64


def read_floor(value: object, where: str) -> Mapping[str, ProductFloor]:
    """Read a floor: the name of a profile, or a table by product line with all its components."""
    if isinstance(value, str):
        profile: FloorProfile | None = PROFILES.get(value)
        if profile is None:
            raise wrong(where, f'"any", one of {", ".join(PROFILES)}, or a table by product line', value)
        return {product.value: floor for product, floor in profile.products.items()}
    return {name: _read_product_floor(item, f"{where}.{name}", name) for name, item in _by_product(value, where)}


def _by_product(value: object, where: str) -> list[tuple[str, object]]:
    return list(table(PRODUCT_NAMES, lambda item, _: item, complete=False)(value, where).items())


def _read_product_floor(value: object, where: str, product: str) -> ProductFloor:
    names = (("fmc",) if product == ProductLine.TURIN else ()) + _COMPONENTS
    level = table(names, integer(0, 255))(value, where)
    for name in names:
        if name != "microcode":
            integer(0, MAXIMUM_SPL)(level[name], f"{where}.{name}")
    microcode = {part.name: level["microcode"] for part in parts_of(ProductLine(product))}
    return ProductFloor(
        boot_loader=level["boot_loader"], tee=level["tee"], snp=level["snp"], fmc=level.get("fmc"), microcode=microcode
    )


def read_mitigations(value: object, where: str) -> Mapping[str, int]:
    """Read the mitigation bits that must be set, a list of bit numbers by product line, as masks."""
    bits = set_of(integer(0, _MITIGATION_BITS - 1))
    return {name: sum(1 << bit for bit in bits(item, f"{where}.{name}")) for name, item in _by_product(value, where)}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SnpRules(Rules):
    """The `[snp]` table of a policy; ANY where it leaves something open."""

    products: Mapping[str, Allowance] = rule(
        table(PRODUCT_NAMES, choice(Allowance)), "which product lines are taken; pinned: only chips in chip_ids"
    )
    minimum_report_version: int | Any_ = rule(
        or_any(integer(VERSIONS.start, VERSIONS.stop - 1)), "the lowest version of the report"
    )
    signing_keys: frozenset[KeyKind] = rule(set_of(choice(KeyKind)), "which endorsement keys may sign")
    csp_ids: frozenset[str] | Any_ = rule(
        or_any(set_of(text)), "cloud providers whose VLEK may sign, as its certificate names them"
    )
    vmpls: frozenset[int] | Any_ = rule(or_any(set_of(integer(0, 3))), "privilege levels that may ask for the report")
    measurements: frozenset[bytes] | Any_ = rule(or_any(set_of(hexadecimal(48))), "launch measurements, 48 bytes")
    host_data: frozenset[bytes] | Any_ = rule(or_any(set_of(hexadecimal(32))), "HOST_DATA values, 32 bytes")
    id_key_digests: frozenset[bytes] | Any_ = rule(
        or_any(set_of(hexadecimal(48))), "SHA-384 digests of ID keys that may vouch for the launch"
    )
    author_key_digests: frozenset[bytes] | Any_ = rule(
        or_any(set_of(hexadecimal(48))), "SHA-384 digests of author keys that may vouch for the ID key"
    )
    family_ids: frozenset[bytes] | Any_ = rule(or_any(set_of(hexadecimal(16))), "FAMILY_ID values, 16 bytes")
    image_ids: frozenset[bytes] | Any_ = rule(or_any(set_of(hexadecimal(16))), "IMAGE_ID values, 16 bytes")
    minimum_guest_svn: int | Any_ = rule(or_any(integer(0, (1 << 32) - 1)), "the lowest GUEST_SVN")
    chip_ids: frozenset[bytes] | Any_ = rule(
        or_any(set_of(hexadecimal(64))), "chips that are taken (machine pin), 64 bytes"
    )
    denied_chip_ids: frozenset[bytes] = rule(
        set_or_none(hexadecimal(64)), 'chips that are never taken; "none" for an empty list'
    )
    masked_chip_id: Permission = rule(choice(Permission), "whether the host may hide which chip it is")
    report_ids: frozenset[bytes] | Any_ = rule(
        or_any(set_of(hexadecimal(32))), "REPORT_ID values (instance pin), 32 bytes"
    )
    migration_agent: Permission = rule(choice(Permission), "whether the guest may have a migration agent")
    minimum_firmware: tuple[int, ...] | Any_ = rule(
        or_any(dotted(3)), 'the lowest committed firmware version, "major.minor.build"'
    )
    committed_firmware: CommittedFirmware = rule(
        choice(CommittedFirmware), "how committed firmware relates to what runs: equal, at-most-current, any"
    )
    tcb_floor: Mapping[str, ProductFloor] | Any_ = rule(
        or_any(read_floor), "the lowest TCB: a dated profile, or a table by product line"
    )
    launch_mitigations: Mapping[str, int] | Any_ = rule(
        or_any(read_mitigations), "mitigation bits that must have been set at launch, by product line"
    )
    current_mitigations: Mapping[str, int] | Any_ = rule(
        or_any(read_mitigations), "mitigation bits that must be set now, by product line"
    )
    minimum_abi: tuple[int, ...] | Any_ = rule(
        or_any(dotted(2)), 'the lowest firmware ABI the guest insists on, "major.minor"'
    )
    guest_policy: Mapping[str, Demand] = demands_of_bits(GUEST_POLICY_BITS)
    unknown_platform_bits: Permission = rule(
        choice(Permission), "whether PLATFORM_INFO bits may be set that nobody has defined yet"
    )
    platform_info: Mapping[str, Demand] = demands_of_bits(PLATFORM_INFO_BITS)

    @property
    def products_taken(self) -> frozenset[str]:
        """The product lines that are not forbidden."""
        return _products_taken(self)

    @property
    def constrains_software(self) -> bool:
        """Whether the policy says which software may run, by measurement or by who vouched for it."""
        return self.measurements is not ANY or self.id_key_digests is not ANY or self.author_key_digests is not ANY

    def floor_for(self, product: ProductLine, part: Part | None) -> bytes:
        """Give the TCB floor of a product line as 8 bytes; the policy must have one (`read_snp_rules` saw to that)."""
        return _floor_bytes(self, product, part)


@lru_cache(maxsize=256)
def _products_taken(rules: SnpRules) -> frozenset[str]:
    return frozenset(name for name, allowance in rules.products.items() if allowance is not Allowance.FORBIDDEN)


@lru_cache(maxsize=256)
def _floor_bytes(rules: SnpRules, product: ProductLine, part: Part | None) -> bytes:
    if rules.tcb_floor is ANY:
        raise Misuse("tcb_floor: there is none")
    return rules.tcb_floor[product].for_part(part, product).build(product)


def read_snp_rules(document: object, where: str) -> SnpRules:
    """Read the `[snp]` table: every field present, none unknown, and consistent as a whole.

    Raises Misuse.
    """
    rules = read_rules(SnpRules, document, where)
    _require_consistency(rules, where)
    return rules


def _require_consistency(rules: SnpRules, where: str) -> None:
    taken = [name for name, allowance in rules.products.items() if allowance is not Allowance.FORBIDDEN]
    if not taken:
        raise wrong(f"{where}.products", "at least one product line that is not forbidden", dict(rules.products))
    for name in ("tcb_floor", "launch_mitigations", "current_mitigations"):
        value = getattr(rules, name)
        missing = [] if value is ANY else [product for product in taken if product not in value]
        if missing:
            raise wrong(f"{where}.{name}", f"a value for {', '.join(missing)}, which products takes", "none")
    if rules.csp_ids is not ANY and KeyKind.VLEK not in rules.signing_keys:
        raise wrong(f"{where}.csp_ids", 'VLEK among signing_keys, or "any"', "VCEK alone, which names no provider")
    only_pinned = all(rules.products[name] is Allowance.PINNED for name in taken)
    if only_pinned and rules.chip_ids is ANY:
        raise wrong(f"{where}.chip_ids", "chips, since every product line taken is pinned", "any")
