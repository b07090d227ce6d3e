"""Flipping bits: which ones, and those that may flip without anybody saying no. The lists may only shrink."""

import json
from collections.abc import Iterator
from pathlib import Path

MAY_FLIP: dict[str, list[int]] = json.loads((Path(__file__).parent / "flippable.json").read_text("utf-8"))


def flipped(data: bytes, bit: int) -> bytes:
    """The same with one bit flipped, counted as byte * 8 + bit."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def bits(data: bytes, sweep: str) -> Iterator[int]:
    """Every bit, or of each byte one, each byte another."""
    return iter(range(len(data) * 8)) if sweep == "full" else (i * 8 + i % 8 for i in range(len(data)))
