"""Documents are read strictly by their types, and the schema says the same."""

from enum import StrEnum
from typing import Literal, NotRequired, TypedDict

import jsonschema
import pytest

from cvmproof.document_shape import json_schema, read_document
from cvmproof_formats.errors import Malformed


class Colour(StrEnum):
    RED = "red"


class Thing(TypedDict):
    """A thing."""

    kind: Literal["thing/1"]
    count: int
    name: str | None
    colours: list[Colour]
    more: NotRequired[bool]


GOOD = {"kind": "thing/1", "count": 1, "name": None, "colours": ["red"]}
CHANGES: list[dict[str, object]] = [
    {"kind": "thing/2"},
    {"count": True},
    {"count": 1.5},
    {"count": "1"},
    {"name": 1},
    {"colours": "red"},
    {"colours": ["blue"]},
    {"colours": [None]},
    {"more": None},
    {"strange": 1},
]


@pytest.mark.parametrize("more", [{}, {"name": "x"}, {"colours": []}, {"more": True}])
def test_a_document_of_its_type_is_read(more: dict[str, object]) -> None:
    document = {**GOOD, **more}
    assert read_document(document, Thing, "thing") == document
    jsonschema.validate(document, json_schema(Thing))


@pytest.mark.parametrize("change", CHANGES)
def test_anything_else_is_refused_by_reader_and_schema_alike(change: dict[str, object]) -> None:
    with pytest.raises(Malformed, match="thing"):
        read_document({**GOOD, **change}, Thing, "thing")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**GOOD, **change}, json_schema(Thing))


@pytest.mark.parametrize("name", GOOD)
def test_nothing_may_be_missing(name: str) -> None:
    document = {key: value for key, value in GOOD.items() if key != name}
    with pytest.raises(Malformed, match=f"{name} is missing"):
        read_document(document, Thing, "thing")


@pytest.mark.parametrize("value", [[], None, 1, "x"])
def test_another_kind_of_value_is_refused(value: object) -> None:
    with pytest.raises(Malformed, match="expected an object"):
        read_document(value, Thing, "thing")
