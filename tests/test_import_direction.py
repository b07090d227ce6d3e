"""Arrows between the packages point one way: each module is imported in a fresh interpreter, and what it loaded is
compared with what its package may load.
"""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# import name of each package: the folder it stands in, and the first-party packages it may import
FIRST_PARTY = {
    "cvmproof_protos": ("protos", set[str]()),
    "cvmproof_policies": ("policies", set[str]()),
    "cvmproof_formats": ("formats", {"cvmproof_protos"}),
    "cvmproof": ("verifier", {"cvmproof_formats", "cvmproof_policies", "cvmproof_protos"}),
    "cvmproof_simulator": ("simulator", {"cvmproof_formats", "cvmproof_policies", "cvmproof_protos"}),
    "cvmproof_agent": ("agent", {"cvmproof_formats", "cvmproof_protos"}),
}
# The one package that knows the simulator, and the one place that imports it: open_device("simulated:...").
KNOWS_THE_SIMULATOR = "cvmproof_agent.simulated"
OPENS_DEVICES = "cvmproof_agent.device"
# The one module that knows both ends, and the one that uses it: the demo relays a client to an agent.
KNOWS_BOTH_ENDS = "cvmproof_simulator.leak"
SHOWS_BOTH_ENDS = "cvmproof_simulator.demo"
EXCEPTIONS = {KNOWS_THE_SIMULATOR: {"cvmproof_simulator"}, KNOWS_BOTH_ENDS: {"cvmproof", "cvmproof_agent"}}
"""By module or package: what it may import beyond what its own package may."""
# What the demo is made of, which no other command loads.
OF_THE_DEMO = {SHOWS_BOTH_ENDS, "cvmproof_simulator.health", "cvmproof_simulator.relay"}
CRYPTOGRAPHY = {"cryptography", "_cffi_backend", "_openssl"}
# The last three come along where they are installed, as a test's own gRPC client needs them; HTTP/2 is never asked for.
HTTP = {"httpx", "httpcore", "h11", "anyio", "certifi", "idna", "sniffio", "h2", "hpack", "hyperframe"}
RICH = {"rich", "pygments", "markdown_it", "mdurl"}
# Signed policies are COSE.
CBOR = {"cbor2", "_cbor2"}
STAMINA = {"stamina", "tenacity"}
# grpc loads its code generator where that is installed, as in development.
GRPC = {"cython_runtime", "google", "grpc", "grpc_health", "grpc_tools"}
THIRD_PARTY = {
    "cvmproof_protos": {"google"},
    "cvmproof_policies": set[str](),
    "cvmproof_formats": set[str](),  # the standard library is enough, and the guest stays small
    "cvmproof": CBOR | CRYPTOGRAPHY | GRPC | HTTP | RICH | STAMINA | {"OpenSSL", "click", "filelock", "platformdirs"},
    "cvmproof_simulator": CRYPTOGRAPHY | RICH | {"click"},
    "cvmproof_agent": CRYPTOGRAPHY | GRPC | {"OpenSSL"},
}
LIGHT = ("cvmproof", "cvmproof.cli.main")  # what every command pays for at its start
HEAVY = {"rich", "httpx", "grpc", "OpenSSL", "stamina"}
# Names that can stand in sys.modules without anybody here having asked for them.
ANYWHERE = set(sys.stdlib_module_names) | {"__mp_main__", "typing_extensions"}

PROBE = """
import importlib, sys
before = set(sys.modules)
importlib.import_module(sys.argv[1])
found = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(name for name in found if not name.startswith("_cython_")))
"""


def sources() -> dict[str, Path]:
    """Every module of ours by its import name."""
    found = {}
    for package, (folder, _) in FIRST_PARTY.items():
        for path in sorted((ROOT / folder / package).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


SOURCES = sources()
IMPORTABLE = sorted(name for name in SOURCES if not name.endswith(".__main__"))


def load(name: str) -> set[str]:
    """Top-level names that a fresh interpreter loads for one module."""
    # Coverage would follow into the subprocess and add itself to what was loaded.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("COV")}
    command = [sys.executable, "-I", "-c", PROBE, name]
    done = subprocess.run(command, env=environment, cwd=ROOT, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"import {name} failed:\n{done.stderr}"
    return set(done.stdout.split())


def first_party(name: str) -> set[str]:
    """Our packages that a module may import."""
    package = name.partition(".")[0]
    exceptions = (more for where, more in EXCEPTIONS.items() if f"{name}.".startswith(f"{where}."))
    return {package}.union(FIRST_PARTY[package][1], *exceptions)


@pytest.fixture(scope="module")
def loaded() -> Iterator[dict[str, Future[set[str]]]]:
    with ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(load, name) for name in IMPORTABLE}


def test_every_package_was_found() -> None:
    assert {name.partition(".")[0] for name in IMPORTABLE} == FIRST_PARTY.keys()


@pytest.mark.parametrize("name", IMPORTABLE)
def test_a_module_loads_only_what_its_package_may_load(name: str, loaded: dict[str, Future[set[str]]]) -> None:
    package = name.partition(".")[0]
    allowed = first_party(name) | THIRD_PARTY[package] | ANYWHERE
    if name in OF_THE_DEMO:
        allowed |= GRPC | {"OpenSSL"}
    assert loaded[name].result() - allowed == set(), f"{name} loads what {package} may not load"


def test_the_simulator_is_reached_from_one_place_only() -> None:
    mention = re.compile(
        rf"^\s*(from|import) .*{KNOWS_THE_SIMULATOR}|cvmproof_agent import .*\bsimulated\b", re.MULTILINE
    )
    outside = {name: path for name, path in SOURCES.items() if not f"{name}.".startswith(f"{KNOWS_THE_SIMULATOR}.")}
    assert [name for name, path in outside.items() if mention.search(path.read_text("utf-8"))] == [OPENS_DEVICES]


def test_both_ends_are_brought_together_in_the_demo_only() -> None:
    mention = re.compile(rf"^\s*(from|import) {re.escape(KNOWS_BOTH_ENDS)}\b", re.MULTILINE)
    assert [name for name, path in SOURCES.items() if mention.search(path.read_text("utf-8"))] == [SHOWS_BOTH_ENDS]
    # Its functions load them; whoever only imports it stays as light as before.
    assert load(KNOWS_BOTH_ENDS) & FIRST_PARTY.keys() == {"cvmproof_simulator"}


@pytest.mark.parametrize("name", LIGHT)
def test_starting_up_loads_nothing_heavy(name: str) -> None:
    if name not in SOURCES:
        pytest.skip(f"{name} does not exist yet")
    assert load(name) & HEAVY == set(), f"import {name} loads what only some commands need: import it where it is used"


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_an_import_inside_a_function_points_the_same_way(name: str) -> None:
    allowed = first_party(name)
    assert (imported(SOURCES[name]) & FIRST_PARTY.keys()) - allowed == set()


def imported(path: Path) -> set[str]:
    """Top-level names of every import statement in a file, wherever it stands."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("import cvmproof_simulator.psp", "cvmproof_simulator"),
        ("def f():\n    from cvmproof_simulator import psp", "cvmproof_simulator"),
        ("if True:\n    import json, cvmproof", "cvmproof"),
    ],
)
def test_a_hidden_import_would_be_seen(statement: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(statement)
    assert name in imported(path)


def test_what_an_interpreter_loads_would_be_seen() -> None:
    assert "cvmproof" in load("cvmproof.version")
    assert "cryptography" in load("cryptography")
