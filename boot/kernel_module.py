"""The kernel module of the SIMULATED devices, built against the headers of the kernel that is started."""

import shutil
from pathlib import Path
from typing import Final

from boot.cached import ROOT, cached, contents
from boot.debian import Debian
from boot.frames_header import frames_header
from boot.running import run

NAME: Final = "cvmproof_simulated"
_SOURCES = ROOT / "boot" / "module"
_BUILDING: Final = 120.0  # seconds


def kernel_module(debian: Debian) -> Path:
    """Build it, or find it again; needs make and gcc, raises Misuse."""
    header = frames_header()

    def make(folder: Path) -> None:
        shutil.copytree(_SOURCES, folder, dirs_exist_ok=True)
        (folder / "frames.h").write_text(header, "utf-8")
        run(["make", "-C", debian.headers, f"M={folder}", "CC=gcc", "modules"], seconds=_BUILDING)

    inputs = [debian.release.encode(), header.encode(), *contents(_SOURCES)]
    return cached("module", inputs, make) / f"{NAME}.ko"
