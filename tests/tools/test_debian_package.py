"""The guest's artefact: the agent and what it loads, nothing else, the same bytes wherever it is built."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tests.conftest import IN_CI

ROOT = Path(__file__).resolve().parents[2]
PYTHON = "{}.{}".format(*sys.version_info)
EPOCH = "1700000000"
OURS = {"cvmproof_agent": "agent", "cvmproof_formats": "formats", "cvmproof_protos": "protos"}
BROUGHT = {"OpenSSL", "_cffi_backend", "cryptography", "google", "grpc", "grpc_health", "typing_extensions"}
BUILD = """
import sys; sys.path.insert(0, "tools")
import debian_package as d
from pathlib import Path
wheels = sorted(Path(sys.argv[2]).glob("*.whl"))
package = d.build(Path(sys.argv[1]), wheels, python=sys.argv[3], architecture="amd64", epoch=int(sys.argv[4]))
d.write_sbom(package, wheels)
print(package)
"""


def wheels() -> Path:
    """What `make deb` has fetched: tests go to no registry."""
    key = hashlib.sha256((ROOT / "requirements" / "guest.lock").read_bytes()).hexdigest()[:16]
    folder = ROOT / "build" / f"wheels-{PYTHON}-amd64-{key}"
    if not folder.is_dir():
        missing = f"the guest's wheels are not here yet: make deb GUEST_PYTHON={PYTHON}"
        pytest.fail(missing) if IN_CI else pytest.skip(missing)
    return folder


def build(source: Path, target: Path, **environment: str) -> Path:
    command = [sys.executable, "-c", BUILD, str(target), str(wheels()), PYTHON, EPOCH]
    done = subprocess.run(
        command, cwd=source, env=os.environ | environment, check=True, capture_output=True, text=True, timeout=300
    )
    return Path(done.stdout.strip())


@pytest.fixture(scope="module")
def package(tool: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    tool("dpkg-deb")
    return build(ROOT, tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def unpacked(package: Path, tool: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    for option in ("-x", "-e"):
        target = folder if option == "-x" else folder / "DEBIAN"
        subprocess.run([str(tool("dpkg-deb")), option, str(package), str(target)], check=True, timeout=60)
    return folder


@pytest.fixture(scope="module")
def private(unpacked: Path) -> Path:
    return unpacked / "usr" / "lib" / "cvmproof-agent" / "site-packages"


@pytest.fixture(scope="module")
def python() -> str:
    """Debian's own interpreter, as in a guest, where it is of the version that the package is for."""
    version = subprocess.run(["/usr/bin/python3", "--version"], check=False, capture_output=True, text=True).stdout
    return "/usr/bin/python3" if version.startswith(f"Python {PYTHON}.") else sys.executable


def run(python: str, unpacked: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> tuple[int, str]:
    done = subprocess.run(
        [python, "-I", str(unpacked / "usr" / "bin" / "cvmproof-agent"), *arguments],
        env={"PATH": "/usr/bin", **(environment or {})},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


def modules(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.py")}


def test_another_folder_umask_zone_and_language_give_the_same_bytes(package: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "some other folder"
    for name in ("agent", "docs", "formats", "protos", "requirements", "tools", "verifier"):
        shutil.copytree(ROOT / name, elsewhere / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "LICENSE", elsewhere)
    for path in elsewhere.rglob("*"):
        os.utime(path, (1, 1))
    before = os.umask(0o077)
    try:
        other = build(elsewhere, tmp_path / "out", TZ="Asia/Kathmandu", LC_ALL="C", LANGUAGE="tr", PYTHONHASHSEED="7")
    finally:
        os.umask(before)
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (package, other)]
    assert digests[0] == digests[1]


def test_times_modes_and_owners_are_the_same_for_everything(package: Path, tool: Callable[[str], Path]) -> None:
    listed = subprocess.run(
        [str(tool("dpkg-deb")), "-c", str(package)], check=True, capture_output=True, text=True, env={"TZ": "UTC"}
    ).stdout.splitlines()
    assert {" ".join(line.split()[3:5]) for line in listed} == {"2023-11-14 22:13"}
    assert {line.split()[1] for line in listed} == {"root/root"}
    assert {line.split()[0] for line in listed} == {"drwxr-xr-x", "-rw-r--r--", "-rwxr-xr-x"}
    assert [line.split()[-1] for line in listed if line.startswith("-rwx")] == ["./usr/bin/cvmproof-agent"]


def test_of_our_own_it_has_the_agent_without_simulated_devices_and_nothing_else(private: Path) -> None:
    expected = {
        f"{package}/{name}"
        for package, folder in OURS.items()
        for name in modules(ROOT / folder / package)
        if not name.startswith("simulated/") or package != "cvmproof_agent"
    }
    assert {name for name in modules(private) if name.startswith("cvmproof")} == expected
    assert "cvmproof_agent/owner/device_owner.py" in expected


def test_of_others_it_has_what_the_lock_names_and_no_more(private: Path) -> None:
    found = {name.partition("/")[0].partition(".")[0] for name in modules(private)}
    found |= {path.name.partition(".")[0] for path in private.glob("*.so")}
    assert found == OURS.keys() | BROUGHT
    locked = re.findall(r"^([\w-]+)==([\w.]+)", (ROOT / "requirements" / "guest.lock").read_text(), re.MULTILINE)
    expected = {f"{name.replace('-', '_')}-{version}" for name, version in locked if name != "pycparser"}
    brought = {path.stem.lower() for path in private.glob("*.dist-info")}
    assert brought == expected | {"cvmproof-0.1.0"}


def test_the_list_beside_it_names_the_package_and_the_wheels_by_their_hashes(package: Path) -> None:
    listed = json.loads(package.with_suffix(".cdx.json").read_bytes())
    (described,) = listed["metadata"]["component"]["hashes"]
    assert described["content"] == hashlib.sha256(package.read_bytes()).hexdigest()
    locked = (ROOT / "requirements" / "guest.lock").read_text()
    names = re.findall(r"^([\w-]+)==([\w.]+)", locked, re.MULTILINE)
    assert {item["purl"] for item in listed["components"]} == {
        f"pkg:pypi/{name}@{version}" for name, version in names if name != "pycparser"
    }
    assert all(item["hashes"][0]["content"] in locked for item in listed["components"])


def test_its_versions_are_those_that_everybody_tests_with() -> None:
    locks = [
        set(re.findall(r"^([\w-]+==[\w.]+)", (ROOT / "requirements" / f"{name}.lock").read_text(), re.MULTILINE))
        for name in ("guest", "demo")
    ]
    assert locks[0] <= locks[1]


def test_no_file_is_of_the_simulator_the_verifier_or_the_tests(unpacked: Path) -> None:
    names = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*")}
    assert [name for name in names if re.search(r"simulat|controlplane|site-packages/cvmproof/|/tests?/", name)] == []


def test_every_module_has_byte_code_that_names_no_time_and_no_folder_of_the_builder(private: Path) -> None:
    compiled = {path.parent.parent / f"{path.name.partition('.')[0]}.py": path for path in private.rglob("*.pyc")}
    assert compiled.keys() == set(private.rglob("*.py"))
    for path in compiled.values():
        data = path.read_bytes()
        assert data[4:8] == b"\1\0\0\0"  # PEP 552: a hash, not checked
        assert b"/tmp/" not in data


def test_the_control_file_asks_for_the_python_it_is_for(unpacked: Path) -> None:
    control = (unpacked / "DEBIAN" / "control").read_text()
    major, minor = sys.version_info[:2]
    assert f"python3 (>= {major}.{minor}~), python3 (<< {major}.{minor + 1})" in control
    assert (unpacked / "DEBIAN" / "conffiles").read_text() == "/etc/cvmproof/agent.toml\n"
    for script in ("postinst", "prerm", "postrm"):
        assert os.access(unpacked / "DEBIAN" / script, os.X_OK)


def test_the_checksums_are_those_of_every_installed_file(unpacked: Path) -> None:
    lines = [line.split("  ") for line in (unpacked / "DEBIAN" / "md5sums").read_text().splitlines()]
    sums = {name: digest for digest, name in lines}
    files = {path.relative_to(unpacked).as_posix(): path for path in unpacked.rglob("*") if path.is_file()}
    installed = {name: path for name, path in files.items() if not name.startswith("DEBIAN/")}
    assert {name: hashlib.md5(path.read_bytes()).hexdigest() for name, path in installed.items()} == sums  # noqa: S324 -- what dpkg uses


def test_it_runs_by_itself(unpacked: Path, python: str) -> None:
    assert run(python, unpacked, "--version") == (0, "cvmproof-agent 0.1.0\n")


def test_it_can_not_simulate(unpacked: Path, python: str) -> None:
    code, said = run(python, unpacked, "serve", "--device", "simulated:snp")
    assert code == 1
    assert "simulated devices need cvmproof_agent.simulated" in said


def test_the_settings_it_brings_are_understood(unpacked: Path, python: str) -> None:
    code, said = run(
        python, unpacked, "serve", "--device", "owner", "--config", str(unpacked / "etc/cvmproof/agent.toml")
    )
    assert (code, "the device owner did not answer" in said) == (5, True)


def test_nothing_in_the_environment_is_run_or_asked(unpacked: Path, python: str, tmp_path: Path) -> None:
    (tmp_path / "cvmproof_agent.py").write_text("raise SystemExit(99)")
    (tmp_path / "sitecustomize.py").write_text("raise SystemExit(98)")
    foreign = {
        "PYTHONPATH": str(tmp_path),
        "PYTHONSTARTUP": str(tmp_path / "sitecustomize.py"),
        "LD_LIBRARY_PATH": str(tmp_path),
        "OPENSSL_CONF": str(tmp_path / "none"),
        "GRPC_TRACE": "all",
        "GRPC_VERBOSITY": "debug",
    }
    assert run(python, unpacked, "--version", environment=foreign) == (0, "cvmproof-agent 0.1.0\n")
    code, said = run(python, unpacked, "--version", environment={"CVMPROOF_LOG_LEVEL": "info"})
    assert code == 0, said
    for name in ("CVMPROOF_DEVICE", "CVMPROOF_SIMULATED"):
        code, said = run(python, unpacked, "doctor", environment={name: "simulated:snp"})
        assert (code, "is not a setting" in said) == (1, True)


def test_every_module_of_ours_loads_with_what_is_there(unpacked: Path, private: Path, python: str) -> None:
    ours = [name for name in modules(private) if name.startswith("cvmproof")]
    names = sorted(name.removesuffix(".py").replace("/", ".").removesuffix(".__init__") for name in ours)
    code = f"import sys; sys.path.insert(0, {str(private)!r})\nfor name in {names!r}: __import__(name)"
    done = subprocess.run([python, "-I", "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
