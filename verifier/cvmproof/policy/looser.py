"""What one policy takes and another refuses: of a policy that was fetched, beside the operator's own floor.

Both are appraised, and both must accept, so a looser one loosens nothing; that somebody hands it out is worth knowing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date
from enum import StrEnum

from cvmproof.policy.floors import ProductFloor
from cvmproof.policy.policy import Policy
from cvmproof.policy.rules import Rules
from cvmproof.policy.snp_rules import PRODUCT_NAMES
from cvmproof.policy.values import ANY, Demand
from cvmproof.spelling import spell

_REFUSING = "denied_"  # a set of what is not taken: the smaller, the looser
_MASKS = "_mitigations"  # bits that must be set: the fewer, the looser
_GRACE = "_grace"  # time after something is overdue: the longer, the looser
_MODULES = "tdx.minimum_module_svns"  # a table that refuses what it does not name


@dataclass(frozen=True, slots=True, kw_only=True)
class Looser:
    """One rule ("snp.guest_policy.debug") by which a policy takes more; both sides in words."""

    rule: str
    floor: str
    policy: str


def looser_rules(policy: Policy, floor: Policy) -> tuple[Looser, ...]:
    """Name every rule by which `policy` takes something that `floor` refuses."""
    found = list(_compared("revocation", policy.revocation, floor.revocation))
    for name, rules, limits in (("snp", policy.snp, floor.snp), ("tdx", policy.tdx, floor.tdx)):
        if rules is not None and limits is None:
            found.append(Looser(rule=name, floor="refused", policy="taken"))
        elif rules is not None and limits is not None:
            found += _compared_tables(name, rules, limits, _products_of_both(policy, floor))
    return tuple(found)


def _products_of_both(policy: Policy, floor: Policy) -> frozenset[str]:
    if policy.snp is None or floor.snp is None:
        return frozenset()
    return policy.snp.products_taken & floor.snp.products_taken


def _compared_tables(name: str, rules: Rules, limits: Rules, products: frozenset[str]) -> Iterator[Looser]:
    for declared in fields(limits):
        value, limit = getattr(rules, declared.name), getattr(limits, declared.name)
        yield from _compared(f"{name}.{declared.name}", value, limit, products)


def _compared(rule: str, value: object, floor: object, taken: frozenset[str] = frozenset()) -> Iterator[Looser]:
    if rule == _MODULES and isinstance(value, Mapping) and isinstance(floor, Mapping):
        yield from _compared_modules(value, floor)
    elif isinstance(floor, Mapping) and rule != _MODULES:
        for name, inner in floor.items():
            # A level for a product line that one of the two refuses anyway decides nothing.
            if name in taken or name not in PRODUCT_NAMES or rule == "snp.products":
                below = value[name] if isinstance(value, Mapping) else ANY
                yield from _compared(f"{rule}.{name}", below, inner, taken)
    elif _is_looser(rule, value, floor):
        yield Looser(rule=rule, floor=_spell(floor), policy=_spell(value))


def _compared_modules(value: Mapping[str, object], floor: Mapping[str, object]) -> Iterator[Looser]:
    for name, lowest in value.items():
        rule = f"{_MODULES}.{name}"
        if name not in floor:
            yield Looser(rule=rule, floor="refused", policy=_spell(lowest))
        else:
            yield from _compared(rule, lowest, floor[name])


def _is_looser(rule: str, value: object, floor: object) -> bool:
    if floor is ANY or value is ANY:
        return floor is not ANY
    if isinstance(value, StrEnum) and isinstance(floor, StrEnum):
        return _is_weaker(value, floor)
    if isinstance(value, frozenset) and isinstance(floor, frozenset):
        return bool(floor - value if f".{_REFUSING}" in rule else value - floor)
    if isinstance(value, ProductFloor) and isinstance(floor, ProductFloor):
        return _is_lower(value, floor)
    if isinstance(value, int) and isinstance(floor, int):
        return _is_looser_number(rule, value, floor)
    return _is_before(value, floor)


def _is_before(value: object, floor: object) -> bool:
    if isinstance(value, date) and isinstance(floor, date):
        return value < floor
    return isinstance(value, tuple) and isinstance(floor, tuple) and value < floor


def _is_looser_number(rule: str, value: int, floor: int) -> bool:
    if f"{_MASKS}." in rule:
        return bool(floor & ~value)
    return value > floor if rule.endswith(_GRACE) else value < floor


def _is_weaker(value: StrEnum, floor: StrEnum) -> bool:
    """Compare words, which are declared strictest first; demands on a bit have no order, but may contradict."""
    if isinstance(floor, Demand):
        return floor is not Demand.ANY and value is not floor
    words = list(type(floor))
    return words.index(value) > words.index(floor)


def _is_lower(value: ProductFloor, floor: ProductFloor) -> bool:
    lower = any(getattr(value, name) < getattr(floor, name) for name in ("boot_loader", "tee", "snp"))
    microcode = any(value.microcode[part] < level for part, level in floor.microcode.items())
    return lower or microcode or (value.fmc or 0) < (floor.fmc or 0)


def _spell(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_spell(item)}" for name, item in value.items())
    if not isinstance(value, ProductFloor):
        return spell(value)
    fmc = "" if value.fmc is None else f"fmc{value.fmc}/"
    microcode = "/".join(str(level) for level in value.microcode.values())
    return f"{fmc}bl{value.boot_loader}/tee{value.tee}/snp{value.snp}/ucode{microcode}"
