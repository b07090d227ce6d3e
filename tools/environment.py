"""Make `.venv` and install what the lock files name, with hashes; the Makefile calls it.

Runs on a bare Python, before anything is installed, so it uses the standard library only. Sizes share one `.venv`:
`demo` (the package and what builds it), `dev` (all tools), and two that add one heavy tool each. Versions agree,
because each lock constrains the next.
"""

from __future__ import annotations

import fcntl
import importlib.util
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
SIZES = ("demo", "dev", "mutants", "fuzz")


def need_venv_module() -> None:
    """Say in one line what to install where Python comes without `ensurepip`, as on Debian."""
    if importlib.util.find_spec("ensurepip") is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        sys.exit(
            f"{sys.executable} can't make virtual environments: install python3-venv "
            f"(Debian, Ubuntu: apt-get install python3-venv or python{version}-venv), then run make again"
        )


def make_venv() -> None:
    """Make `.venv`, unless a working one stands there already."""
    probe = [str(PYTHON), "-c", "import pip, sys; sys.exit(sys.version_info < (3, 11))"]
    if PYTHON.exists() and subprocess.run(probe, check=False, capture_output=True).returncode == 0:
        return
    print(f"[venv] making .venv with {sys.executable}", flush=True)
    venv.create(VENV, clear=VENV.exists(), with_pip=True, symlinks=True)


def pip_install(*arguments: str, expect: int) -> None:
    """Run pip; show a counter on a terminal; print what pip said only if it failed."""
    command = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", *arguments]
    said: list[str] = []
    seen = 0
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as pip:
        for line in pip.stdout or ():
            said.append(line)
            seen += line.startswith(("Collecting ", "Requirement already satisfied: "))
            if sys.stdout.isatty():
                doing = "installing" if line.startswith("Installing collected") else "fetching"
                print(f"\r[venv] {doing} {min(seen, expect)}/{expect} ", end="", flush=True)
    if sys.stdout.isatty():
        print("\r\033[K", end="")
    if pip.returncode != 0:
        print("".join(said[-30:]), end="", file=sys.stderr)
        sys.exit(f"[venv] pip failed with {pip.returncode}: {' '.join(arguments)}")


def install(size: str) -> None:
    """Install the lock of `size`, then the project itself, editable and without its dependencies."""
    started = time.monotonic()
    lock = f"requirements/{size}.lock"
    count = sum(line[:1].isalnum() for line in (ROOT / lock).read_text().splitlines())
    print(f"[venv] installing {count} packages into .venv from {lock}", flush=True)
    pip_install("--require-hashes", "--only-binary", ":all:", "-r", lock, expect=count)
    pip_install("--no-deps", "--no-build-isolation", "-e", ".", expect=1)
    (VENV / f".{size}").touch()
    print(f"[venv] ready after {time.monotonic() - started:.0f} s", flush=True)


def main() -> None:
    """Take the size from the command line; two makes at once wait for each other."""
    size = "".join(sys.argv[1:])
    if size not in SIZES:
        sys.exit(f"usage: environment.py {'|'.join(SIZES)}")
    need_venv_module()
    with (ROOT / "requirements" / "demo.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        make_venv()
        install(size)


if __name__ == "__main__":
    main()
