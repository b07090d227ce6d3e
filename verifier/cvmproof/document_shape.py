"""The shape of a document, read off its types: as JSON Schema, and as a strict reader of documents.

Knows what `document.py` uses and nothing more: tables (TypedDict), lists, text, numbers, names, alternatives.
"""

import types
from enum import StrEnum
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints, is_typeddict

from cvmproof.spelling import escape
from cvmproof_formats.errors import Malformed

Document = TypeVar("Document")
_PLAIN = {str: "string", int: "integer", bool: "boolean", types.NoneType: "null"}


def read_document(value: object, kind: type[Document], what: str) -> Document:
    """Read a value as a document of this type: every field there, of its type, and no others.

    Raises Malformed.
    """
    _expect(value, kind, what)
    return cast("Document", value)


def json_schema(kind: object) -> dict[str, object]:
    """Write the JSON Schema (2020-12) of a type."""
    if is_typeddict(kind):
        return _table_schema(cast("type", kind))
    if get_origin(kind) in {Union, types.UnionType}:
        return {"anyOf": [json_schema(option) for option in get_args(kind)]}
    if get_origin(kind) is list:
        return {"type": "array", "items": json_schema(get_args(kind)[0])}
    names = _names(kind)
    if names:
        return {"enum": list(names)}
    return {"type": _PLAIN[cast("type", kind)]}


def _table_schema(kind: type) -> dict[str, object]:
    properties = {name: json_schema(hint) for name, hint in get_type_hints(kind).items()}
    required = [name for name in properties if name in kind.__required_keys__]  # type: ignore[attr-defined] # of TypedDict
    description = " ".join((kind.__doc__ or "").split())
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _names(kind: object) -> tuple[str, ...]:
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return tuple(str(name) for name in kind)
    return get_args(kind) if get_origin(kind) is Literal else ()


def _expect(value: object, kind: Any, where: str) -> None:  # noqa: ANN401 -- a type, of any kind
    if is_typeddict(kind):
        _expect_table(value, kind, where)
    elif get_origin(kind) in {Union, types.UnionType}:
        _expect_alternative(value, get_args(kind), where)
    elif get_origin(kind) is list:
        if not isinstance(value, list):
            raise _wrong(where, "a list", value)
        for index, item in enumerate(value):
            _expect(item, get_args(kind)[0], f"{where}[{index}]")
    elif _names(kind):
        if not isinstance(value, str) or value not in _names(kind):
            raise _wrong(where, f"one of {', '.join(_names(kind))}", value)
    elif type(value) is not kind:
        raise _wrong(where, _PLAIN[kind], value)


def _expect_table(value: object, kind: Any, where: str) -> None:  # noqa: ANN401 -- a TypedDict
    if not isinstance(value, dict):
        raise _wrong(where, "an object", value)
    hints = get_type_hints(kind)
    missing = [name for name in hints if name in kind.__required_keys__ and name not in value]
    unknown = [name for name in value if name not in hints]
    if missing or unknown:
        fault = f"{missing[0]} is missing" if missing else f"{escape(unknown[0], 40)} is not known"
        raise Malformed(f"{where}: {fault}")
    for name, item in value.items():
        _expect(item, hints[name], f"{where}.{name}")


def _expect_alternative(value: object, options: tuple[Any, ...], where: str) -> None:
    fitting = [option for option in options if (value is None) == (option is types.NoneType)]
    for option in fitting[:-1]:
        try:
            return _expect(value, option, where)
        except Malformed:
            continue  # what is wrong is said of the last alternative
    if not fitting:
        raise _wrong(where, "something else", value)
    return _expect(value, fitting[-1], where)


def _wrong(where: str, expected: str, got: object) -> Malformed:
    return Malformed(f"{where}: expected {expected}, got {escape(repr(got), 60)}")
