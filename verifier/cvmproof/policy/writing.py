"""A policy written out again: whole, with everything `extends` brought in, as a table that can be read back."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import date

from cvmproof.policy.floors import PROFILES, ProductFloor
from cvmproof.policy.policy import VERSION, Policy
from cvmproof.policy.rules import Rules
from cvmproof.policy.values import ANY

TomlValue = str | int | list[str] | list[int] | dict[str, "TomlValue"]


def effective_document(policy: Policy) -> dict[str, TomlValue]:
    """Give the whole policy as it would be written without `extends`."""
    document: dict[str, TomlValue] = {
        "version": VERSION,
        "revocation": str(policy.revocation),
        "valid_for": policy.valid_for,
    }
    return document | {name: _rules(rules) for name, rules in _tables(policy)}


def left_open(policy: Policy) -> tuple[str, ...]:
    """Name the rules that demand nothing, by technology ("snp.vmpls"), in the order of a policy file."""
    return tuple(
        f"{table}.{name}" for table, rules in _tables(policy) for name in rules.names() if not rules.constrains(name)
    )


def _tables(policy: Policy) -> list[tuple[str, Rules]]:
    return [(name, rules) for name, rules in (("snp", policy.snp), ("tdx", policy.tdx)) if rules is not None]


def _rules(rules: Rules) -> dict[str, TomlValue]:
    return {f.name: _value(f.name, getattr(rules, f.name)) for f in fields(rules)}


def write_toml(document: Mapping[str, TomlValue], comments: Mapping[str, str] | None = None) -> str:
    """Write a table as TOML; `comments` go behind values, by dotted name ("snp.measurements")."""
    return "\n".join(_table(document, (), comments or {})) + "\n"


def _table(table: Mapping[str, TomlValue], path: tuple[str, ...], comments: Mapping[str, str]) -> Iterable[str]:
    inner = {name: value for name, value in table.items() if isinstance(value, dict)}
    plain = [(name, value) for name, value in table.items() if not isinstance(value, dict)]
    if path and plain:
        yield f"\n[{'.'.join(path)}]"
    for name, value in plain:
        comment = comments.get(".".join((*path, name)), "")
        yield f"{name} = {_spell(value)}{f' # {comment}' if comment else ''}"
    for name, below in inner.items():
        yield from _table(below, (*path, name), comments)


def _spell(value: TomlValue) -> str:
    if isinstance(value, list):
        items = [_spell(item) for item in value]
        line = f"[{', '.join(items)}]"
        return (
            line if len(items) == 1 or len(line) <= _LINE else "[\n" + "".join(f"  {item},\n" for item in items) + "]"
        )
    return f'"{_escape(value)}"' if isinstance(value, str) else str(value)


_LINE = 100  # columns


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _value(name: str, value: object) -> TomlValue:
    if value is ANY:
        return "any"
    if isinstance(value, Mapping):
        return _table_of(name, value)
    if isinstance(value, frozenset):
        return _choices(value)
    if isinstance(value, tuple):
        return ".".join(map(str, value))
    if isinstance(value, date):
        return value.isoformat()
    return value if type(value) is int else str(value)


def _table_of(name: str, value: Mapping[str, object]) -> TomlValue:
    if name == "tcb_floor":
        return _floor(value)
    if name.endswith("_mitigations"):
        return {str(line): _bit_numbers(mask) for line, mask in value.items()}
    return {str(key): item if type(item) is int else str(item) for key, item in value.items()}


def _bit_numbers(mask: object) -> TomlValue:
    return [bit for bit in range(64) if isinstance(mask, int) and mask >> bit & 1]


def _choices(values: frozenset[object]) -> TomlValue:
    if not values:
        return "none"
    numbers = sorted(value for value in values if isinstance(value, int))
    words = sorted(value.hex() if isinstance(value, bytes) else str(value) for value in values)
    return numbers or words


def _floor(floor: Mapping[str, object]) -> TomlValue:
    named = next((profile.name for profile in PROFILES.values() if dict(profile.products) == dict(floor)), None)
    if named:
        return named
    return {str(line): _product_floor(level) for line, level in floor.items() if isinstance(level, ProductFloor)}


def _product_floor(level: ProductFloor) -> dict[str, TomlValue]:
    table: dict[str, TomlValue] = {} if level.fmc is None else {"fmc": level.fmc}
    table |= {"boot_loader": level.boot_loader, "tee": level.tee, "snp": level.snp}
    return table | {"microcode": max(level.microcode.values())}
