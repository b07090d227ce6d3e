"""`cvmproof policy check | list | show`."""

import json
import tomllib
from pathlib import Path

import pytest

from cvmproof.policy.reading import read_policy
from cvmproof.policy.writing import effective_document

from .conftest import POLICY, Run

TDX_POLICY = f'extends = "builtin:recommended"\n\n[tdx]\nmr_tds = ["{"cd" * 48}"]\n'


def test_a_good_policy_is_checked_with_what_it_leaves_open(run: Run, folder: Path) -> None:
    ran = run("policy", "check", folder / "policy.toml")
    assert ran.code == 0
    assert "left open (" in ran.stdout
    assert "host_data" in ran.stdout


def test_a_policy_without_software_says_so(run: Run, folder: Path) -> None:
    said = "it says nothing about which software may run with "
    assert f"{said}sev-snp and tdx\n" in run("policy", "check", "builtin:genuine").stdout
    (folder / "half.toml").write_text(f'{POLICY}[tdx]\nmr_tds = "any"\n')
    assert f"{said}tdx\n" in run("policy", "check", folder / "half.toml").stdout
    assert said not in run("policy", "check", folder / "policy.toml").stdout
    document = run("policy", "check", "builtin:genuine", "--json").document
    assert document["constrains_software"] is False
    assert {"snp.measurements", "tdx.mr_tds"} <= set(document["left_open"])


def test_which_technologies_a_policy_takes_is_said(run: Run, folder: Path) -> None:
    assert "takes sev-snp, tdx\n" in run("policy", "check", "builtin:genuine").stdout
    assert "takes sev-snp, refuses tdx\n" in run("policy", "check", folder / "policy.toml").stdout
    (folder / "tdx.toml").write_text(TDX_POLICY)
    assert "takes tdx, refuses sev-snp\n" in run("policy", "check", folder / "tdx.toml").stdout
    assert run("policy", "check", folder / "tdx.toml", "--json").document["tees"] == ["tdx"]


@pytest.mark.parametrize("text", ["", "nonsense", "version = 2", 'extends = "builtin:genuine"'])
def test_a_wrong_policy_is_exit_1(run: Run, folder: Path, text: str) -> None:
    (folder / "wrong.toml").write_text(text)
    ran = run("policy", "check", folder / "wrong.toml", "--json")
    assert (ran.code, ran.categories()) == (1, {"POLICY_INVALID"})


def test_the_built_in_policies_and_floors_are_listed(run: Run) -> None:
    text = run("policy", "list").stdout
    for name in ("builtin:genuine", "builtin:recommended", "amd-sb-3023"):
        assert name in text
    document = run("policy", "list", "--json").document
    assert [policy["name"] for policy in document["policies"]] == ["builtin:genuine", "builtin:recommended"]
    assert document["policies"][1]["needs"].startswith("cvmproof policy new")


@pytest.mark.parametrize("name", ["builtin:genuine", "builtin:recommended"])
def test_a_built_in_policy_is_shown_as_it_is(run: Run, name: str) -> None:
    ran = run("policy", "show", name)
    assert ran.code == 0
    assert tomllib.loads(ran.stdout)["version"] == 1


@pytest.mark.parametrize(
    "more",
    [
        "",
        'csp_ids = ["CN=\\"x\\""]\nsigning_keys = ["VCEK", "VLEK"]\nminimum_firmware = "1.55.40"\nvmpls = [0, 1]\n',
        f'tcb_floor = "amd-sb-3019"\nchip_ids = ["{"ab" * 64}", "{"cd" * 64}"]\nminimum_guest_svn = 3\n',
        "[snp.launch_mitigations]\nMilan = [0, 3]\nGenoa = [1]\nTurin = [5]\n",
        'tcb_floor = "any"\ndenied_chip_ids = "none"\n',
    ],
)
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_whole_policy_is_shown_and_is_the_same_policy(
    run: Run, folder: Path, more: str, form: tuple[str, ...]
) -> None:
    shown_is_the_same(run, folder, POLICY + more, form)


@pytest.mark.parametrize(
    "more",
    [
        "",
        'tcb_statuses = ["UpToDate", "SWHardeningNeeded"]\ndenied_advisories = ["INTEL-SA-01397"]\n',
        'minimum_tcb_date = "2025-05-14"\nevaluation_numbers = "any"\ncollateral_grace = 86400\n',
        f'minimum_module_svns = "any"\nfmspcs = ["00806f050000"]\ndenied_ppids = ["{"ab" * 16}"]\n',
        '[tdx.minimum_module_svns]\nTDX_00 = "any"\nTDX_01 = 13\n[tdx.platform]\ncached_keys = "forbidden"\n',
        f'rtmr1 = ["{"00" * 48}", "{"ab" * 48}"]\nunknown_xfam_bits = "any"\n[tdx.xfam]\navx = "required"\n',
        f'[snp]\nmeasurements = ["{"ab" * 48}"]\n',
    ],
)
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_whole_policy_for_tdx_is_shown_and_is_the_same_policy(
    run: Run, folder: Path, more: str, form: tuple[str, ...]
) -> None:
    shown_is_the_same(run, folder, TDX_POLICY + more, form)


def shown_is_the_same(run: Run, folder: Path, text: str, form: tuple[str, ...]) -> None:
    (folder / "policy.toml").write_text(text)
    ran = run("policy", "show", folder / "policy.toml", *form)
    assert ran.code == 0
    assert "left open:" in ran.stderr
    again = read_policy(ran.stdout.encode(), name="again")
    first = read_policy((folder / "policy.toml").read_bytes(), name="first")
    assert effective_document(again) == effective_document(first)
    assert "extends" not in (json.loads if form else tomllib.loads)(ran.stdout)
