"""Records: frozen, slotted, keyword-only dataclasses that are made as fast as ones that can be changed.

    @record
    class SvnLevel:
        isvsvn: int
        advisories: tuple[str, ...] = ()

A frozen dataclass stores every field through `object.__setattr__`, at five times the price of the store, and a verdict
rests on dozens of objects. Here an object is of an open class with the same slots until its fields are stored, and is
closed before anybody else has seen it. All the rest is the standard library's: fields, replace, equality, repr.
"""

from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Generic, ParamSpec, TypeVar, dataclass_transform, overload

P = ParamSpec("P")
T = TypeVar("T")
_BASES = ((object,), (Generic,))


@overload
def record(cls: type[T], /) -> type[T]: ...
@overload
def record(*, eq: bool = True) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def record(cls: type[T] | None = None, /, *, eq: bool = True) -> type[T] | Callable[[type[T]], type[T]]:
    """Make a class one of records; without `eq` each equals itself alone, as with `dataclass`.

    Raises TypeError at import for what a record can't have: a base class, a field that is not given or has a default
    that is made anew for each, and anything to be done once all are stored.
    """
    return _record(cls, eq=eq) if cls is not None else lambda found: _record(found, eq=eq)


def maker(cls: Callable[P, T]) -> Callable[P, T]:
    """Give the function that makes records of a class; where dozens are made, it takes half as long as the class."""
    made: Callable[P, T] = vars(cls)["__new__"]
    return made


def _record(cls: type[T], *, eq: bool) -> type[T]:
    made = dataclass(frozen=True, slots=True, kw_only=True, init=False, eq=eq)(cls)
    found = fields(made)  # type: ignore[arg-type]  # made one line up
    plain = all(one.init and one.default_factory is MISSING for one in found)
    if not found or not plain or cls.__bases__ not in _BASES or hasattr(cls, "__post_init__"):
        raise TypeError(f"{cls.__name__}: expected fields that are given, plain defaults, and no base class")
    new = constructor(made, [one.name for one in found], keywords=True)
    new.__defaults__ = (made,)  # for `maker`: calling a class puts what is given into a dictionary first
    new.__kwdefaults__ = {one.name: one.default for one in found if one.default is not MISSING}
    new.__qualname__, new.__module__ = f"{made.__qualname__}.__new__", made.__module__
    made.__new__ = new  # type: ignore[assignment]  # what it is by then
    made.__getnewargs_ex__ = _given  # type: ignore[attr-defined]  # for copies, which are made of what was given
    return made


def _given(self: object) -> tuple[tuple[()], dict[str, object]]:
    return (), {name: getattr(self, name) for name in vars(type(self))["__slots__"]}


def constructor(closed: type[T], names: Sequence[str], *, keywords: bool = False) -> Callable[..., T]:
    """Write a function that makes an object of a frozen, slotted dataclass, from all its fields in this order.

    With `keywords` they are given by name, and the class before them. Raises TypeError for a name that is none.
    """
    if not all(name.isidentifier() for name in names):
        raise TypeError(f"{closed.__name__}: expected names, got {', '.join(names)!a}")
    slots = vars(closed)["__slots__"]  # its own, those of a base class come with the base
    generic = {name: base for name, base in vars(closed).items() if name == "__orig_bases__"}
    open_ = {"__setattr__": object.__setattr__, "__delattr__": object.__delattr__}  # as if no base class were frozen
    opened = type(f"Open{closed.__name__}", closed.__bases__, {"__slots__": slots, **open_, **generic})
    parameters = ", ".join(("closed", "*", *names) if keywords else names)
    stores = (f"made.{name} = {name}" for name in names)
    lines = (f"def construct({parameters}):", "made = opened()", *stores, "made.__class__ = closed", "return made")
    space: dict[str, Callable[..., T]] = {}
    known = {"opened": opened, "closed": closed}
    # Only source gives such parameters without a dictionary at each call; the standard library does the same.
    exec("\n  ".join(lines), known, space)  # noqa: S102 -- names of fields, all of them ours
    return space["construct"]
