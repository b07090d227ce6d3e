"""Fixed binary layouts, declared once: the same table parses, builds and documents a structure.

    @structure(name="ATTESTATION_REPORT", size=0x4A0)
    class AttestationReport(Layout):
        version: int = uint(0x000, 4)
        measurement: bytes = raw(0x090, 48)

Integers are little-endian. Every byte that no field covers is reserved and must be zero. A field declared with
`since=N` is reserved in structures whose `version` is below N. Overlaps and overruns are refused when the class is
made.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

from cvmproof_formats.errors import Malformed
from cvmproof_formats.record import constructor

_UINT_FORMATS = {1: "B", 2: "H", 4: "I", 8: "Q"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a field lies: offset and size in bytes, its struct format, the first version that has it."""

    offset: int
    size: int
    format: str
    since: int


def uint(offset: int, size: int, *, since: int = 0) -> Any:
    """Declare an unsigned little-endian integer of 1, 2, 4 or 8 bytes."""
    return field(default=0, metadata={"place": Place(offset, size, _UINT_FORMATS[size], since)})


def raw(offset: int, size: int, *, since: int = 0, default: bytes | None = None) -> Any:
    """Declare `size` bytes taken as they are; zero unless `default` says otherwise."""
    return field(
        default=bytes(size) if default is None else default,
        metadata={"place": Place(offset, size, f"{size}s", since)},
    )


class Layout:
    """What every declared structure can do; made by `structure`, never by hand."""

    __slots__ = ()

    layout_name: ClassVar[str]
    layout_size: ClassVar[int]
    _places: ClassVar[tuple[tuple[str, Place], ...]]
    _codec: ClassVar[struct.Struct]
    _made: ClassVar[Callable[..., Any]]
    _gaps: ClassVar[tuple[slice, ...]]
    _reserved: ClassVar[struct.Struct]
    _zeros: ClassVar[tuple[bytes, ...]]
    _later: ClassVar[tuple[tuple[int, str, slice], ...]]

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read exactly `layout_size` bytes.

        Raises Malformed for any other length and for a reserved byte that is not zero.
        """
        cls.require_fit(data)
        parsed: Self = cls._made(*cls._codec.unpack(data))
        if cls._later:
            cls._refuse_later_fields(data, parsed)
        return parsed

    @classmethod
    def require_fit(cls, data: bytes) -> None:
        """Refuse what `parse` refuses, later fields in earlier versions aside, and read nothing.

        Raises Malformed.
        """
        if len(data) != cls.layout_size:
            raise Malformed(f"{cls.layout_name}: expected {cls.layout_size} bytes, got {len(data)}")
        if cls._reserved.unpack(data) != cls._zeros:
            gap = next(gap for gap in cls._gaps if data[gap].strip(b"\0"))
            raise _nonzero(cls.layout_name, data, gap)

    @classmethod
    def _refuse_later_fields(cls, data: bytes, parsed: Self) -> None:
        version: int = parsed.version  # type: ignore[attr-defined]  # `structure` requires the field where `since` is used
        for since, name, span in cls._later:
            if version < since and data[span].strip(b"\0"):
                raise _nonzero(f"{cls.layout_name} version {version} ({name} came with {since})", data, span)

    def build(self) -> bytes:
        """Write the structure: reserved bytes zero, byte fields exactly as long as declared.

        Raises Malformed for a value that does not fit.
        """
        for name, place in self._places:
            value = getattr(self, name)
            if place.format.endswith("s") and len(value) != place.size:
                raise Malformed(f"{self.layout_name}.{name}: expected {place.size} bytes, got {len(value)}")
        try:
            return self._codec.pack(*(getattr(self, name) for name, _ in self._places))
        except struct.error as error:
            raise Malformed(f"{self.layout_name}: {error}") from error

    @classmethod
    def fields(cls) -> tuple[tuple[str, Place], ...]:
        """Name and place of every field, in order of offset."""
        return cls._places


L = TypeVar("L", bound=Layout)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(uint, raw))
def structure(*, name: str, size: int) -> Callable[[type[L]], type[L]]:
    """Make a class a frozen, slotted, keyword-only dataclass that parses and builds `size` bytes.

    Raises ValueError at import for fields that overlap or run over the end.
    """

    def declare(cls: type[L]) -> type[L]:
        made = dataclass(frozen=True, slots=True, kw_only=True)(cls)
        declared = [(f.name, f.metadata["place"]) for f in fields(made)]  # type: ignore[arg-type]  # made two lines up
        places = tuple(sorted(declared, key=lambda item: item[1].offset))
        made.layout_name, made.layout_size, made._places = name, size, places
        made._gaps = _gaps(name, size, places)
        made._reserved = struct.Struct(_gaps_format(size, made._gaps))
        made._zeros = tuple(bytes(gap.stop - gap.start) for gap in made._gaps)
        made._codec = struct.Struct(_codec_format(size, places))
        names = [field_name for field_name, _ in places]
        made._made = staticmethod(constructor(made, names))
        made._later = tuple(
            (p.since, field_name, slice(p.offset, p.offset + p.size)) for field_name, p in places if p.since
        )
        if made._later and "version" not in names:
            raise ValueError(f"{name}: `since` needs a field called version")
        return made

    return declare


def _gaps(name: str, size: int, places: tuple[tuple[str, Place], ...]) -> tuple[slice, ...]:
    """Find the reserved ranges between the fields; refuse overlap and overrun."""
    gaps, end = [], 0
    for field_name, place in places:
        if place.offset < end:
            raise ValueError(f"{name}.{field_name} at {place.offset:#x} overlaps the field before it")
        if place.offset > end:
            gaps.append(slice(end, place.offset))
        end = place.offset + place.size
    if end > size:
        raise ValueError(f"{name}: fields end at {end:#x}, the structure at {size:#x}")
    if end < size:
        gaps.append(slice(end, size))
    return tuple(gaps)


def _codec_format(size: int, places: tuple[tuple[str, Place], ...]) -> str:
    """Write the struct format: fields in order, reserved ranges as pad bytes."""
    parts, end = ["<"], 0
    for _, place in places:
        if place.offset > end:
            parts.append(f"{place.offset - end}x")
        parts.append(place.format)
        end = place.offset + place.size
    if end < size:
        parts.append(f"{size - end}x")
    return "".join(parts)


def _gaps_format(size: int, gaps: tuple[slice, ...]) -> str:
    """Write the struct format of the reserved ranges: fields as pad bytes."""
    parts, end = ["<"], 0
    for gap in gaps:
        parts.append(f"{gap.start - end}x{gap.stop - gap.start}s")
        end = gap.stop
    return "".join((*parts, f"{size - end}x"))


def _nonzero(name: str, data: bytes, span: slice) -> Malformed:
    offset = next(i for i in range(span.start, span.stop) if data[i])
    return Malformed(f"{name}: reserved byte at {offset:#x}: expected 0, got {data[offset]:#04x}")
