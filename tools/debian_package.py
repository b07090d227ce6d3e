"""Build the guest's artefact into `dist/`: a Debian package of the agent alone, with a folder of what it needs.

The same commit gives the same bytes, wherever and by whom it is built: file times come from the last commit, wheels
from `requirements/guest.lock`, modes and order from here. It is built twice and compared all the same. What differs is
one package for each version of Debian's python3, since wheels and byte code are for one version of it.
"""

import argparse
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "guest.lock"
DEPLOY = ROOT / "agent" / "deploy"
PRIVATE: Final = PurePosixPath("usr/lib/cvmproof-agent/site-packages")
DOCUMENTS: Final = PurePosixPath("usr/share/doc/cvmproof-agent")
# Of our own, and of these what only makes sense outside a guest.
PACKAGES: Final = ("agent/cvmproof_agent", "formats/cvmproof_formats", "protos/cvmproof_protos")
OUTSIDE: Final = ("cvmproof_agent/simulated/",)
# From wheels: the half of cffi that makes C modules, and what only type checkers and compilers read.
UNUSED: Final = ("cffi/", "pycparser/", "pycparser-", "grpc/beta/")
UNREAD: Final = (".pyi", ".pyx", ".pxi", ".pxd", ".typed", ".h", "/RECORD", "/WHEEL", "/INSTALLER", "/top_level.txt")
MACHINES: Final = {"amd64": "x86_64", "arm64": "aarch64"}
GLIBC: Final = range(36, 16, -1)  # 2.36 is Debian 12's; wheels for older ones run there too
INSTALLED: Final = {
    "cvmproof-agent": "usr/bin/cvmproof-agent",
    "cvmproof-device.socket": "usr/lib/systemd/system/cvmproof-device.socket",
    "cvmproof-device.service": "usr/lib/systemd/system/cvmproof-device.service",
    "cvmproof-agent.service": "usr/lib/systemd/system/cvmproof-agent.service",
    "sysusers.conf": "usr/lib/sysusers.d/cvmproof-agent.conf",
    "tmpfiles.conf": "usr/lib/tmpfiles.d/cvmproof-agent.conf",
    "udev.rules": "usr/lib/udev/rules.d/90-cvmproof-agent.rules",
    "agent.toml": "etc/cvmproof/agent.toml",
    "cloud-init.yaml": f"{DOCUMENTS}/cloud-init.yaml",
}
SCRIPTS: Final = ("postinst", "prerm", "postrm")


def main() -> None:
    """Build twice, compare, list."""
    told = _arguments()
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or _run("git", "log", "-1", "--format=%ct")
    wheels = fetch_wheels(told.python, told.architecture)
    print("[deb] building twice", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        first, second = (
            build(Path(scratch, name), wheels, python=told.python, architecture=told.architecture, epoch=int(epoch))
            for name in ("one", "another")
        )
        if first.read_bytes() != second.read_bytes():
            sys.exit(f"[deb] two builds of one commit differ: {first} and {second}")
        told.out.mkdir(parents=True, exist_ok=True)
        package = Path(shutil.copy(first, told.out))
    write_sbom(package, wheels)
    print(f"[deb] {package.stat().st_size} bytes")
    print(f"[deb] {_sha256(package)['content']}  {package.name}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default="3.11", help="the guest's python3; Debian 12 has 3.11")
    parser.add_argument("--architecture", default="amd64", choices=list(MACHINES), help="Debian's word for it")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="the folder to write to")
    return parser.parse_args()


def fetch_wheels(python: str, architecture: str) -> list[Path]:
    """Fetch the locked wheels, unless they are there from the last time."""
    folder = wheel_folder(python, architecture)
    if not folder.is_dir():
        print(f"[deb] fetching wheels for Python {python} on {architecture}", flush=True)
        folder.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            _download(Path(scratch), python, MACHINES[architecture])
            Path(scratch).rename(folder)
            Path(scratch).mkdir()  # for the context to remove
    return sorted(folder.glob("*.whl"))


def wheel_folder(python: str, architecture: str) -> Path:
    """Where they are kept, by the lock that they are from."""
    key = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    return ROOT / "build" / f"wheels-{python}-{architecture}-{key}"


def _download(folder: Path, python: str, machine: str) -> None:
    tag = "cp" + python.replace(".", "")
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in GLIBC] + [f"manylinux2014_{machine}"]
    options = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--implementation", "cp"]
    options += ["--python-version", python, *(word for abi in (tag, "abi3", "none") for word in ("--abi", abi))]
    options += [word for platform in platforms for word in ("--platform", platform)]
    _run(sys.executable, "-m", "pip", "download", "--quiet", *options, "--dest", str(folder), "-r", str(LOCK))


def build(folder: Path, wheels: list[Path], *, python: str, architecture: str, epoch: int) -> Path:
    """Build the package in `folder`, with file times of `epoch`; gives its path."""
    tree = folder / "tree"
    lay_out(tree, wheels)
    compile_all(tree, python)
    _write_control(tree, python, architecture)
    _settle(tree, epoch)
    package = folder / f"cvmproof-agent_{version()}_{architecture}.deb"
    # One thread: how xz cuts its blocks depends on how many there are. The least effort: 12 % larger in a fifth of
    # the time.
    _run(
        *("dpkg-deb", "--root-owner-group", "-Zxz", "-z1", "--threads-max=1", "--build", str(tree), str(package)),
        SOURCE_DATE_EPOCH=str(epoch),
    )
    return package


def lay_out(tree: Path, wheels: list[Path]) -> None:
    """Put every file where it will be installed."""
    private = tree / PRIVATE
    for wheel in wheels:
        _unpack(wheel, private)
    for package in PACKAGES:
        _copy_modules(ROOT / package, private)
    _write(private / f"cvmproof-{version()}.dist-info" / "METADATA", _METADATA.format(version=version()))
    for source, target in INSTALLED.items():
        _write(tree / target, (DEPLOY / source).read_text("utf-8"))
    (tree / INSTALLED["cvmproof-agent"]).chmod(0o755)
    _write(tree / DOCUMENTS / "copyright", _copyright(wheels))
    _write(tree / DOCUMENTS / "deployment.md", (ROOT / "docs" / "deployment.md").read_text("utf-8"))


def _unpack(wheel: Path, target: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if ".." in PurePosixPath(name).parts or name.startswith("/") or ".data/" in name:
                sys.exit(f"[deb] {wheel.name}: no file of a plain wheel: {name}")
            if not name.endswith(("/", *UNREAD)) and not name.startswith(UNUSED):
                _write(target / name, archive.read(name))


def _copy_modules(package: Path, target: Path) -> None:
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package.parent).as_posix()
        if not name.startswith(OUTSIDE):
            _write(target / name, path.read_bytes())


def compile_all(tree: Path, python: str) -> None:
    """Compile every module with the guest's version of Python, so that a start in a read-only system is no slower.

    Nothing in the byte code says when or where it was made, and the interpreter takes it without looking at the source.
    """
    command = sys.executable if python == "{}.{}".format(*sys.version_info) else f"python{python}"
    if shutil.which(command) is None:
        sys.exit(f"[deb] needs {command}, whose byte code goes into the package")
    options = ("-q", "-f", "-s", str(tree), "-p", "/", "--invalidation-mode", "unchecked-hash")
    _run(command, "-I", "-m", "compileall", *options, str(tree / PRIVATE), PYTHONHASHSEED="0")


def _write_control(tree: Path, python: str, architecture: str) -> None:
    major, minor = python.split(".")
    size = sum(path.stat().st_size for path in _files(tree)) // 1024
    control = (DEPLOY / "debian" / "control").read_text("utf-8")
    _write(
        tree / "DEBIAN" / "control",
        control.format(
            version=version(),
            architecture=architecture,
            size=size,
            python=python,
            next_python=f"{major}.{int(minor) + 1}",
        ),
    )
    sums = (
        f"{_md5(path)}  {path.relative_to(tree).as_posix()}\n" for path in _files(tree) if path.parent.name != "DEBIAN"
    )
    _write(tree / "DEBIAN" / "md5sums", "".join(sums))
    _write(tree / "DEBIAN" / "conffiles", (DEPLOY / "debian" / "conffiles").read_text("utf-8"))
    for name in SCRIPTS:
        _write(tree / "DEBIAN" / name, (DEPLOY / "debian" / name).read_text("utf-8"))
        (tree / "DEBIAN" / name).chmod(0o755)


def _settle(tree: Path, epoch: int) -> None:
    """Give every file its mode and time, whatever the umask was."""
    for path in sorted(tree.rglob("*"), reverse=True):
        runs = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
        path.chmod(0o755 if runs else 0o644)
        os.utime(path, (epoch, epoch))
    tree.chmod(0o755)
    os.utime(tree, (epoch, epoch))


def write_sbom(package: Path, wheels: list[Path]) -> None:
    """Write beside the package what it consists of, as CycloneDX 1.6: the very wheels, by name, version and hash."""
    this = {"type": "application", "bom-ref": "cvmproof-agent", "name": "cvmproof-agent", "version": version()}
    brought = [_component(wheel) for wheel in wheels if not wheel.name.startswith(UNUSED)]
    listed = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {**this, "hashes": [_sha256(package)]}},
        "components": brought,
        "dependencies": [{"ref": this["bom-ref"], "dependsOn": [item["bom-ref"] for item in brought]}],
    }
    package.with_suffix(".cdx.json").write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")


def _component(wheel: Path) -> dict[str, object]:
    name, release = wheel.name.split("-")[:2]
    purl = f"pkg:pypi/{name.replace('_', '-').lower()}@{release}"
    described = {"type": "library", "bom-ref": purl, "name": name.replace("_", "-"), "version": release, "purl": purl}
    return {**described, "hashes": [_sha256(wheel)]}


def _sha256(path: Path) -> dict[str, str]:
    return {"alg": "SHA-256", "content": hashlib.sha256(path.read_bytes()).hexdigest()}


def version() -> str:
    """The version of the distribution, as Debian spells it: what comes before a release sorts before it."""
    source = (ROOT / "verifier" / "cvmproof" / "version.py").read_text("utf-8")
    found = source.split('__version__ = "')[1].split('"')[0]
    return found.replace(".dev", "~dev").replace("rc", "~rc")


def _copyright(wheels: list[Path]) -> str:
    names = "\n".join(
        f" {name}: {PRIVATE}/{name}.dist-info" for name in ("-".join(w.name.split("-")[:2]) for w in wheels)
    )
    return f"{_COPYRIGHT}\n{names}\n\n{(ROOT / 'LICENSE').read_text('utf-8')}"


def _files(tree: Path) -> Iterator[Path]:
    return (path for path in sorted(tree.rglob("*")) if path.is_file())


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()  # what dpkg compares with, no protection


def _write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def _run(*command: str, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, check=True, text=True, stdout=subprocess.PIPE
    )
    return done.stdout.strip()


_METADATA = "Metadata-Version: 2.1\nName: cvmproof\nVersion: {version}\n"
_COPYRIGHT = """\
cvmproof-agent: the cvmproof authors, Apache License 2.0, whose text follows.
It brings these along, each with its own licence in the folder named here:
"""

if __name__ == "__main__":
    main()
