"""The C header says what the Python tables say, as a C compiler reads it."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from boot.frames_header import frames_header

from cvmproof_simulator.guest_requests import frames

# What the kernel's own headers would declare; a compiler alone is enough.
KERNEL_TYPES = """
#define __packed __attribute__((packed))
#define static_assert(what) _Static_assert(what, "size")
typedef __UINT8_TYPE__ __u8;
typedef __UINT16_TYPE__ __le16;
typedef __UINT32_TYPE__ __le32;
typedef __UINT64_TYPE__ __le64;
"""
STRUCTURES = (frames.RequestHead, frames.AnswerHead, frames.SnpQuestion)


def program(*, off_by: int = 0) -> str:
    header = "\n".join(line for line in frames_header().splitlines() if "#include" not in line)
    demands = [
        f"static_assert(__builtin_offsetof({name}, {field}) == {place.offset + off_by});"
        f"static_assert(sizeof((({name} *)0)->{field}) == {place.size});"
        for layout in STRUCTURES
        for name in [f"struct cvmproof_{layout.layout_name}"]
        for field, place in layout.fields()
    ]
    return "\n".join([KERNEL_TYPES, header, *demands]) + "\n"


def compile_it(compiler: Path, source: str, folder: Path) -> str:
    file = folder / "frames.c"
    file.write_text(source, "utf-8")
    command = [str(compiler), "-ffreestanding", "-Wall", "-Werror", "-fsyntax-only", str(file)]
    return subprocess.run(command, check=False, capture_output=True, encoding="utf-8", timeout=60).stderr


def test_a_compiler_places_each_field_where_python_does(tool: Callable[[str], Path], tmp_path: Path) -> None:
    assert compile_it(tool("gcc"), program(), tmp_path) == ""


def test_another_place_would_be_seen(tool: Callable[[str], Path], tmp_path: Path) -> None:
    assert "static assertion failed" in compile_it(tool("gcc"), program(off_by=1), tmp_path)


@pytest.mark.parametrize("kind", list(frames.Kind))
def test_each_kind_and_each_limit_has_a_name_in_c(kind: frames.Kind) -> None:
    assert f"#define CVMPROOF_{kind.name} {kind.value:#x}\n" in frames_header()
    assert f"#define CVMPROOF_ANSWER_MAX {frames.ANSWER_MAX:#x}\n" in frames_header()
    assert frames.QUESTION_SIZES[kind] <= frames.REQUEST_MAX
