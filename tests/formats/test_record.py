"""Records: dataclasses in everything but how they are made, and never open once somebody has them."""

import copy
import inspect
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, field, fields, is_dataclass, replace
from typing import Generic, TypeVar

import pytest

from cvmproof_formats.record import constructor, maker, record
from cvmproof_formats.tdx.body import TdBody15

T = TypeVar("T")


@record
class Point:
    """With a default, and a field that decides nothing."""

    x: int
    y: int = 2
    note: str = field(default="", repr=False, compare=False)

    @property
    def sum(self) -> int:
        """Both."""
        return self.x + self.y


@record(eq=False)
class Itself:
    """Equal to itself alone."""

    x: int


@record
class Of(Generic[T]):
    """Of any kind."""

    inner: T


MAKERS = {"the class": Point, "its maker": maker(Point)}
every_way = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


@every_way
def test_a_record_is_a_dataclass_of_what_it_was_given(make: type[Point]) -> None:
    point = make(x=1, note="here")
    assert type(point) is Point
    assert is_dataclass(point)
    assert (point.x, point.y, point.note, point.sum) == (1, 2, "here", 3)
    assert repr(point) == "Point(x=1, y=2)"
    assert point == make(x=1, y=2) == Point(x=1)
    assert hash(point) == hash(Point(x=1))
    assert point != make(x=2)
    assert [one.name for one in fields(point)] == ["x", "y", "note"]


@every_way
def test_a_record_can_not_be_changed(make: type[Point]) -> None:
    point = make(x=1)
    with pytest.raises(FrozenInstanceError):
        point.x = 2  # type: ignore[misc]  # that is the point
    with pytest.raises(FrozenInstanceError):
        del point.x
    assert not hasattr(point, "__dict__")
    assert point.x == 1


@every_way
@pytest.mark.parametrize("given", [{}, {"y": 1}, {"x": 1, "z": 1}])
def test_a_record_is_made_of_its_fields_and_nothing_else(make: Callable[..., Point], given: dict[str, int]) -> None:
    with pytest.raises(TypeError, match="keyword"):
        make(**given)
    with pytest.raises(TypeError):
        Point(1)  # type: ignore[call-arg]  # that is the point


def test_a_record_is_replaced_copied_and_pickled_like_any_dataclass() -> None:
    point = Point(x=1, note="here")
    assert replace(point, y=5) == Point(x=1, y=5)
    for other in (copy.copy(point), copy.deepcopy(point), pickle.loads(pickle.dumps(point))):  # noqa: S301 - our own
        assert (type(other), other, other.note) == (Point, point, "here")
        with pytest.raises(FrozenInstanceError):
            other.x = 2  # type: ignore[misc]  # that is the point
    assert str(inspect.signature(Point)) == "(*, x, y=2, note='')"


def test_without_equality_each_is_itself_alone() -> None:
    assert Itself(x=1) != Itself(x=1)
    assert len({Itself(x=1), Itself(x=1)}) == 2


def test_a_record_may_be_generic() -> None:
    assert Of(inner=1) == maker(Of)(inner=1) != Of(inner=2)
    with pytest.raises(FrozenInstanceError):
        Of(inner=1).inner = 2  # type: ignore[misc]  # that is the point


def test_what_is_made_of_bytes_is_frozen_as_well_below_a_base_class() -> None:
    body = TdBody15.parse(bytes(648))
    assert (type(body), body) == (TdBody15, TdBody15.parse(body.build()))
    for name in ("xfam", "mr_service_td"):
        with pytest.raises(FrozenInstanceError):
            setattr(body, name, 1)


@pytest.mark.parametrize(
    ("bases", "space"),
    [
        pytest.param((Point,), {"__annotations__": {"z": int}}, id="a base class"),
        pytest.param((), {"__annotations__": {"z": list}, "z": field(default_factory=list)}, id="a default made anew"),
        pytest.param((), {"__annotations__": {"z": int}, "z": field(init=False)}, id="a field that is not given"),
        pytest.param((), {"__annotations__": {"z": int}, "__post_init__": print}, id="something done at the end"),
        pytest.param((), {}, id="no field"),
    ],
)
def test_what_a_record_can_not_have_is_refused_at_import(bases: tuple[type, ...], space: dict[str, object]) -> None:
    with pytest.raises(TypeError, match=r"^Odd: expected fields that are given, plain defaults, and no base class$"):
        record(type("Odd", bases, space))


def test_code_is_made_of_names_and_nothing_else() -> None:
    for name in ("x = 1", "x)", "", "x\n  y"):
        with pytest.raises(TypeError, match="expected names"):
            constructor(Point, [name])


def test_there_is_one_maker_of_a_class() -> None:
    assert maker(Point) is maker(Point)
    with pytest.raises(KeyError):
        maker(Category)


class Category:
    """No record."""
