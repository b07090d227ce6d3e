"""Folders that are made once and kept below build/boot/, by what went into them."""

import hashlib
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
BUILD: Final = ROOT / "build" / "boot"
_KEY_SIZE = 16  # hexadecimal digits


def cached(name: str, inputs: Iterable[bytes], make: Callable[[Path], None]) -> Path:
    """Give the folder that `make` fills; where the same inputs filled it before, at once.

    An older one of this name is removed. What `make` raises goes through, and leaves nothing that looks complete.
    """
    key = hashlib.sha256(b"".join(hashlib.sha256(each).digest() for each in inputs)).hexdigest()[:_KEY_SIZE]
    folder = BUILD / f"{name}-{key}"
    if folder.is_dir():
        return folder
    BUILD.mkdir(parents=True, exist_ok=True)
    for older in BUILD.glob(f"{name}-*"):
        shutil.rmtree(older)
    unfinished = BUILD / f"{name}-unfinished"
    unfinished.mkdir()
    try:
        make(unfinished)
    except BaseException:
        shutil.rmtree(unfinished)
        raise
    return unfinished.rename(folder)


def contents(*paths: Path) -> list[bytes]:
    """Name and content of files, and of all files below folders, in order."""
    found = []
    for path in paths:
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                found += [file.name.encode(), file.read_bytes()]
    return found
