"""What the tables of a policy share, one table for each technology: how a field is declared, and how a table is read.

A field's name is the `rule` of the checks it constrains; the order of the fields is that of a policy file.
"""

from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, TypeVar

from cvmproof.policy.values import Demand, Reader, choice, refuse_unknown, require_names, table, wrong
from cvmproof_formats.bitfield import Bit


class Permission(StrEnum):
    """Whether something may be so."""

    FORBIDDEN = "forbidden"
    ANY = "any"


def rule(read: Reader[Any], meaning: str, *, parts: tuple[str, ...] = ()) -> Any:
    """Declare a field: how its value is read, and what it says, for the documentation.

    `parts` names the demands of a field that is a table of separate ones.
    """
    return field(metadata={"read": read, "meaning": meaning, "parts": parts})


def demands(parts: tuple[str, ...], what: str) -> Any:
    """Declare a table of demands, one for each part."""
    return rule(table(parts, choice(Demand)), f"required, forbidden or any, {what}", parts=parts)


def demands_of_bits(bits: tuple[Bit, ...]) -> Any:
    """Declare a table of demands, one for each bit."""
    return demands(tuple(bit.name for bit in bits), "bit by bit")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rules:
    """A table of a policy; ANY where it leaves something open."""

    def constrains(self, name: str) -> bool:
        """Tell whether a rule ("vmpls", or "guest_policy.debug" for a bit) demands anything."""
        outer, _, inner = name.partition(".")
        value = getattr(self, outer)
        if inner:
            value = value[inner]
        return str(value) not in {"any", "frozenset()"}

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Every rule by its name, bits and the like apart ("guest_policy.debug"), in the order of a policy file."""
        found: list[str] = []
        for declared in fields(cls):
            parts = declared.metadata["parts"]
            found += [f"{declared.name}.{part}" for part in parts] if parts else [declared.name]
        return tuple(found)


Table = TypeVar("Table", bound=Rules)


def read_rules(kind: type[Table], document: object, where: str) -> Table:
    """Read a table: every field present, none unknown.

    Raises Misuse.
    """
    if not isinstance(document, dict):
        raise wrong(where, "a table", document)
    names = tuple(f.name for f in fields(kind))
    refuse_unknown(document, names, where)
    require_names(document, names, where)
    return kind(**{f.name: f.metadata["read"](document[f.name], f"{where}.{f.name}") for f in fields(kind)})
