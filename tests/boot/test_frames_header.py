"""The C header says what the Python tables say, as a C compiler reads it."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from boot.frames_header import frames_header

from cvmproof_formats.layout import Layout
from cvmproof_simulator.guest_requests import frames

KERNEL_TYPES = """
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#define __packed __attribute__((packed))
#define static_assert _Static_assert
typedef uint8_t __u8; typedef uint16_t __le16; typedef uint32_t __le32; typedef uint64_t __le64;
"""
STRUCTURES = (frames.RequestHead, frames.AnswerHead, frames.SnpQuestion)


def program() -> str:
    header = "\n".join(line for line in frames_header().splitlines() if "#include" not in line)
    prints = [
        f'printf("%zu %zu\\n", offsetof({name}, {field}), sizeof((({name} *)0)->{field}));'
        for layout in STRUCTURES
        for name in [f"struct cvmproof_{layout.layout_name}"]
        for field, _ in layout.fields()
    ]
    return f"{KERNEL_TYPES}{header}\nint main(void) {{ {' '.join(prints)} return 0; }}\n"


def places(layout: type[Layout]) -> list[str]:
    return [f"{place.offset} {place.size}" for _, place in layout.fields()]


def test_a_compiler_places_each_field_where_python_does(tool: Callable[[str], Path], tmp_path: Path) -> None:
    source, binary = tmp_path / "frames.c", tmp_path / "frames"
    source.write_text(program(), "utf-8")
    subprocess.run([tool("gcc"), "-Wall", "-Werror", "-o", binary, source], check=True, timeout=60)
    done = subprocess.run([binary], check=True, capture_output=True, encoding="ascii", timeout=60)
    assert done.stdout.splitlines() == [line for layout in STRUCTURES for line in places(layout)]


@pytest.mark.parametrize("kind", list(frames.Kind))
def test_each_kind_and_each_limit_has_a_name_in_c(kind: frames.Kind) -> None:
    assert f"#define CVMPROOF_{kind.name} {kind.value:#x}\n" in frames_header()
    assert f"#define CVMPROOF_ANSWER_MAX {frames.ANSWER_MAX:#x}\n" in frames_header()
    assert frames.QUESTION_SIZES[kind] <= frames.REQUEST_MAX
