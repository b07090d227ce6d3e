"""A SIMULATED machine's evidence as files, and the command line to judge it with."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from cvmproof.cli.main import cli
from cvmproof_formats.snp.product import ProductLine
from cvmproof_simulator.evidence import collateral_files, nonce_evidence
from cvmproof_simulator.prism import FakePrism
from cvmproof_simulator.prism_cvms import Spelling
from cvmproof_simulator.psp import SIMULATED_MEASUREMENT, SoftwarePsp

NONCE = bytes(range(32))
POLICY = f'extends = "builtin:recommended"\n\n[snp]\nmeasurements = ["{SIMULATED_MEASUREMENT.hex()}"]\n'
SCHEMA_FILE = Path("verifier/cvmproof/schema/appraisal.schema.json")
CVM_SCHEMA_FILE = Path("verifier/cvmproof/schema/cvm.schema.json")


@dataclass(frozen=True)
class Ran:
    """What a command came to."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:  # noqa: ANN401 -- JSON, looked into by tests
        """The one object on standard output."""
        return json.loads(self.stdout)

    def categories(self) -> set[str]:
        """Of the checks that failed, or of the error."""
        if "verdict" not in self.document:
            return {self.document["error"]["category"]}
        return {check["category"] for check in self.document["checks"] if check["outcome"] in {"fail", "error"}}


Run = Callable[..., Ran]


@pytest.fixture
def psp() -> SoftwarePsp:
    return SoftwarePsp(ProductLine.GENOA)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of its own for each test."""
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    for name in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


@pytest.fixture
def folder(tmp_path: Path, psp: SoftwarePsp) -> Path:
    """good.json and its collateral, debug.json, policy.toml."""
    collateral = tmp_path / "collateral"
    collateral.mkdir()
    for name, data in collateral_files(psp, datetime.now(UTC).replace(microsecond=0)).items():
        (collateral / name).write_bytes(data)
    (tmp_path / "good.json").write_bytes(nonce_evidence(psp, NONCE))
    (tmp_path / "debug.json").write_bytes(nonce_evidence(psp, NONCE, {"policy": 0xB0000}))
    (tmp_path / "policy.toml").write_text(POLICY)
    return tmp_path


@pytest.fixture
def run(root: Path) -> Run:
    """`run("verify", ...)`; what --json prints is held against the schema."""
    validator = jsonschema.Draft202012Validator(json.loads((root / SCHEMA_FILE).read_text()))

    def invoke(*arguments: object, stdin: bytes | None = None) -> Ran:
        result = CliRunner().invoke(cli, [str(argument) for argument in arguments], input=stdin)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        ran = Ran(result.exit_code, result.stdout, result.stderr)
        if "--json" in arguments and (arguments[0] == "verify" or "error" in ran.document):
            validator.validate(ran.document)
        return ran

    return invoke


@pytest.fixture
def verify(run: Run, folder: Path) -> Run:
    """`verify("good.json", ...)`: offline, with everything at hand, under the policy that suits."""

    def invoke(evidence: str, *more: object, policy: object = folder / "policy.toml") -> Ran:
        return run(
            "verify",
            folder / evidence,
            *("--nonce", NONCE.hex(), "--policy", policy, "--collateral", folder / "collateral"),
            *("--offline", "--trust", "simulated", *more),
        )

    return invoke


@pytest.fixture(params=["documented", "observed"])
def prism(request: pytest.FixtureRequest) -> Iterator[FakePrism]:
    """A SIMULATED control plane, in either spelling."""
    spelling: Spelling = request.param
    with FakePrism(spelling=spelling) as service:
        yield service


@pytest.fixture
def token_file(prism: FakePrism, tmp_path: Path) -> Path:
    """The token of `prism`, in a file of which only its owner may know."""
    path = tmp_path / "token"
    path.write_text(f"{prism.token}\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def cvm(run: Run, prism: FakePrism, token_file: Path, root: Path) -> Run:
    """`cvm("list", ...)` asks `prism`; what --json prints is held against the schema."""
    validator = jsonschema.Draft202012Validator(json.loads((root / CVM_SCHEMA_FILE).read_text()))
    where = ("--api", prism.url, "--domain", prism.domain, "--token-file", token_file)

    def invoke(command: str, *arguments: object, stdin: bytes | None = None) -> Ran:
        ran = run("cvm", command, *where, *arguments, stdin=stdin)
        if "--json" in arguments and "error" not in ran.document and command != "verify":
            validator.validate(ran.document)
        return ran

    return invoke
