"""The kernel module's C header of the frames, written from the tables that the host's side uses."""

from collections.abc import Iterator

from cvmproof_formats.layout import Layout, Place
from cvmproof_simulator.guest_requests import frames

_STRUCTURES = (frames.RequestHead, frames.AnswerHead, frames.SnpQuestion)
_CONSTANTS = ("REQUEST_MAGIC", "ANSWER_MAGIC", "REQUEST_MAX", "ANSWER_MAX")


def frames_header() -> str:
    """Write the header: constants, kinds, and packed structures whose sizes the compiler checks."""
    numbers = {name: getattr(frames, name) for name in _CONSTANTS} | {kind.name: kind.value for kind in frames.Kind}
    lines = [
        "/* Written from cvmproof_simulator.guest_requests.frames; not to be changed here. */",
        "#ifndef CVMPROOF_FRAMES_H",
        "#define CVMPROOF_FRAMES_H",
        "#include <linux/build_bug.h>",
        "#include <linux/types.h>",
        *(f"#define CVMPROOF_{name} {value:#x}" for name, value in numbers.items()),
        *(line for each in _STRUCTURES for line in _structure(each)),
        "#endif",
    ]
    return "\n".join(lines) + "\n"


def _structure(layout: type[Layout]) -> Iterator[str]:
    name = f"struct cvmproof_{layout.layout_name}"
    yield f"{name} {{"
    end = 0
    for field, place in layout.fields():
        yield from _gap(end, place.offset)
        yield f"\t{_declare(field, place)}"
        end = place.offset + place.size
    yield from _gap(end, layout.layout_size)
    yield "} __packed;"
    yield f"static_assert(sizeof({name}) == {layout.layout_size});"


def _declare(field: str, place: Place) -> str:
    if place.format.endswith("s"):
        return f"__u8 {field}[{place.size}];"
    return f"__u8 {field};" if place.size == 1 else f"__le{8 * place.size} {field};"


def _gap(start: int, end: int) -> Iterator[str]:
    if end > start:
        yield f"\t__u8 reserved_{start}[{end - start}];"
