"""Build the sdist, the wheel and the SBOM into `dist/`, and try the wheel in an environment of its own.

The build is made twice and compared: file times come from the last commit, so the same commit gives the same bytes.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"


def run(*command: str | Path, **environment: str) -> str:
    """Run a command in the repository with these variables added, and give its standard output."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env=os.environ | environment,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    )
    return done.stdout.strip()


def build(folder: Path, epoch: str) -> dict[str, str]:
    """Build into `folder`; SHA-256 of each file by name."""
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, SOURCE_DATE_EPOCH=epoch)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def try_wheel(wheel: Path, folder: Path) -> Path:
    """Install the wheel with its locked dependencies into a fresh environment, run both commands there."""
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check")
    run(*pip, "--require-hashes", "--only-binary", ":all:", "-r", ROOT / "requirements" / "runtime.lock")
    run(*pip, "--no-deps", wheel)
    for command in ("cvmproof", "cvmproof-simulator"):
        print(f"[dist] {command} --version: {run(folder / 'bin' / command, '--version')}", flush=True)
    return python


def write_sbom(python: Path, version: str, target: Path) -> None:
    """Write a CycloneDX list of what an installation consists of."""
    cyclonedx = Path(sys.executable).with_name("cyclonedx-py")
    project = ROOT / "pyproject.toml"
    run(cyclonedx, "environment", "--pyproject", project, "--output-reproducible", "-o", target, python)
    # It does not see a version that the build backend reads from a module.
    listed = json.loads(target.read_bytes())
    listed["metadata"]["component"]["version"] = version
    target.write_text(json.dumps(listed, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Build, compare, try, list."""
    epoch = run("git", "log", "-1", "--format=%ct")
    shutil.rmtree(DIST, ignore_errors=True)
    with tempfile.TemporaryDirectory() as scratch:
        print("[dist] building twice", flush=True)
        first, second = build(DIST, epoch), build(Path(scratch, "again"), epoch)
        if first != second:
            sys.exit(f"[dist] two builds of one commit differ: {first} and {second}")
        (wheel,) = DIST.glob("*.whl")
        print("[dist] trying the wheel in a fresh environment", flush=True)
        python = try_wheel(wheel, Path(scratch, "venv"))
        name, version = wheel.name.split("-")[:2]
        write_sbom(python, version, DIST / f"{name}-{version}.cdx.json")
    for path in sorted(DIST.iterdir()):
        print(f"[dist] {hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}")


if __name__ == "__main__":
    main()
