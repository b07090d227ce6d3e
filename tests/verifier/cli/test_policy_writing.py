"""`cvmproof policy new | from-evidence` write policies that read well, and nothing they could not read back."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.verifier.policy.tables import snp

from cvmproof.policy.reading import read_policy
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.tcb import Tcb
from cvmproof_simulator.evidence import collateral_files, nonce_evidence
from cvmproof_simulator.psp import SIMULATED_MEASUREMENT, ReportFields, SoftwarePsp

from .conftest import NONCE, Run

NEW = ("policy", "new", "--from", "builtin:recommended")


def test_a_new_policy_completes_the_recommended_one(run: Run, folder: Path) -> None:
    measurements = ("--measurement", "AB" * 48, "--measurement", "cd" * 48)
    ran = run(*NEW, *measurements, "--pin-chip", "ef" * 64, "-o", folder / "new.toml")
    assert ran.code == 0
    policy = read_policy((folder / "new.toml").read_bytes(), name="new")
    assert snp(policy).measurements == frozenset({b"\xab" * 48, b"\xcd" * 48})
    assert snp(policy).chip_ids == frozenset({b"\xef" * 64})


def test_a_new_policy_goes_to_standard_output(run: Run) -> None:
    ran = run(*NEW, "--measurement", "ab" * 48)
    assert ran.stdout.startswith("# Completes builtin:recommended")


def test_a_file_is_overwritten_only_by_force(run: Run, folder: Path) -> None:
    (folder / "mine.toml").write_text("mine")
    refused = run(*NEW, "--measurement", "ab" * 48, "-o", folder / "mine.toml")
    assert (refused.code, (folder / "mine.toml").read_text()) == (1, "mine")
    assert "--force" in refused.stderr
    assert run(*NEW, "--measurement", "ab" * 48, "-o", folder / "mine.toml", "--force").code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--measurement", "ab"),
        ("--measurement", "00" * 48),
        ("--pin-chip", "zz" * 64),
        ("--host-data", "ab" * 31),
    ],
)
def test_nothing_and_wrong_values_are_refused(run: Run, folder: Path, arguments: tuple[str, ...]) -> None:
    assert run(*NEW, *arguments, "-o", folder / "new.toml").code == 1
    assert not (folder / "new.toml").exists()


@pytest.mark.parametrize("base", ["recommended", "builtin:nonsense", "policy.toml"])
def test_only_a_built_in_policy_is_completed(run: Run, base: str) -> None:
    assert run("policy", "new", "--from", base, "--measurement", "ab" * 48).code == 1


def test_a_folder_that_is_not_there_is_exit_1(run: Run, folder: Path) -> None:
    assert run(*NEW, "--measurement", "ab" * 48, "-o", folder / "nowhere" / "x").code == 1


MACHINES = [
    (SoftwarePsp(ProductLine.GENOA), {}),
    (SoftwarePsp(ProductLine.MILAN), {"host_data": b"\5" * 32}),
    (SoftwarePsp(ProductLine.TURIN, KeyKind.VLEK, version=3), {"id_key_digest": b"\6" * 48}),
    (SoftwarePsp(ProductLine.GENOA, tcb=Tcb(boot_loader=3, tee=0, snp=5, microcode=60)), {"platform_info": 1}),
    (SoftwarePsp(ProductLine.GENOA), {"chip_id": bytes(64)}),
    (SoftwarePsp(ProductLine.MILAN, version=2), {}),
]


@pytest.mark.parametrize(("psp", "changes"), MACHINES)
def test_a_policy_from_evidence_accepts_that_evidence(
    run: Run, folder: Path, psp: SoftwarePsp, changes: ReportFields
) -> None:
    (folder / "this.json").write_bytes(nonce_evidence(psp, NONCE, changes, with_certificates=True))
    for name, data in collateral_files(psp, datetime.now(UTC).replace(microsecond=0)).items():
        (folder / "collateral" / name).write_bytes(data)
    written = run("policy", "from-evidence", folder / "this.json", "-o", folder / "this.toml")
    assert written.code == 0
    assert "nothing was checked" in written.stderr
    assert "Nothing was checked" in (folder / "this.toml").read_text()
    arguments = ("--nonce", NONCE.hex(), "--policy", folder / "this.toml", "--collateral", folder / "collateral")
    ran = run("verify", folder / "this.json", *arguments, "--offline", "--trust", "simulated", "--json")
    assert ran.code == 0, [check for check in ran.document["checks"] if check["outcome"] == "fail"]


def test_a_policy_from_evidence_names_its_software_and_no_lower_floor(run: Run, folder: Path) -> None:
    ran = run("policy", "from-evidence", folder / "good.json")
    policy = read_policy(ran.stdout.encode(), name="written")
    assert snp(policy).measurements == frozenset({SIMULATED_MEASUREMENT})
    assert snp(policy).floor_for(ProductLine.GENOA, None).hex() == "0a00000000001b56"


def test_a_floor_below_the_recommended_one_is_said(run: Run, folder: Path) -> None:
    old = SoftwarePsp(ProductLine.GENOA, tcb=Tcb(boot_loader=3, tee=0, snp=5, microcode=60))
    (folder / "old.json").write_bytes(nonce_evidence(old, NONCE))
    assert "BELOW the floor amd-sb-3023" in run("policy", "from-evidence", folder / "old.json").stdout
    assert "BELOW" not in run("policy", "from-evidence", folder / "good.json").stdout


def test_an_old_report_without_certificates_does_not_say_enough(run: Run, folder: Path) -> None:
    (folder / "v2.json").write_bytes(nonce_evidence(SoftwarePsp(ProductLine.MILAN, version=2), NONCE))
    assert run("policy", "from-evidence", folder / "v2.json").code == 2
