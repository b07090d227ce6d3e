"""`cvmproof collateral fetch | import | show`."""

from pathlib import Path

import pytest

from cvmproof_simulator.kds import FakeKds
from cvmproof_simulator.misbehaviour import status
from cvmproof_simulator.psp import SoftwarePsp

from .conftest import Run


@pytest.fixture
def options(folder: Path) -> tuple[object, ...]:
    return ("--collateral", folder / "store", "--trust", "simulated")


def test_what_evidence_needs_is_fetched_and_shown(
    run: Run, folder: Path, psp: SoftwarePsp, options: tuple[object, ...]
) -> None:
    with FakeKds(psp) as kds:
        ran = run("collateral", "fetch", "--evidence", folder / "good.json", *options, "--kds", kds.url)
    assert ran.code == 0
    assert ran.stdout.count("fetched") == 3
    shown = run("collateral", "show", *options, "--json").document
    assert [one["state"] for one in shown["objects"]] == ["fresh"] * 3


def test_a_product_lines_chain_and_list_are_fetched(run: Run, psp: SoftwarePsp, options: tuple[object, ...]) -> None:
    with FakeKds(psp) as kds:
        ran = run("collateral", "fetch", "--product", "Genoa", "--key", "VLEK", *options, "--kds", kds.url, "--json")
        assert {path.split("?")[0] for path in kds.requests} == {"/vlek/v1/Genoa/cert_chain", "/vlek/v1/Genoa/crl"}
    assert [one["outcome"] for one in ran.document["fetched"]] == ["fetched", "fetched"]


@pytest.mark.parametrize("arguments", [(), ("--evidence", "x", "--product", "Genoa")])
def test_either_evidence_or_a_product_line_is_named(run: Run, arguments: tuple[str, ...]) -> None:
    assert run("collateral", "fetch", *arguments).code == 1


def test_a_service_that_has_nothing_is_exit_4(run: Run, psp: SoftwarePsp, options: tuple[object, ...]) -> None:
    with FakeKds(psp) as kds:
        kds.misbehave(status(404))
        ran = run("collateral", "fetch", "--product", "Genoa", *options, "--kds", kds.url, "--json")
    assert (ran.code, ran.categories()) == (4, {"UNAVAILABLE"})


def test_fetching_is_refused_where_offline_is_set(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CVMPROOF_OFFLINE", "true")
    assert run("collateral", "fetch", "--product", "Genoa").code == 1


def test_a_folder_is_imported_and_its_other_files_are_passed_over(
    run: Run, folder: Path, options: tuple[object, ...]
) -> None:
    (folder / "collateral" / "README").write_text("nothing of interest")
    ran = run("collateral", "import", folder / "collateral", *options)
    assert ran.code == 0
    assert ran.stdout.count("taken") == 3
    assert "not taken" in ran.stderr
    assert run("collateral", "show", *options).stdout.count("fresh") == 3


def test_simulated_certificates_are_not_taken_as_genuine(run: Run, folder: Path) -> None:
    ran = run("collateral", "import", folder / "collateral", "--collateral", folder / "store", "--json")
    assert ran.code == 4
    assert ran.document["taken"] == []
    assert "CHAIN" in {one["category"] for one in ran.document["refused"]}


def test_a_named_file_that_is_refused_is_exit_4(run: Run, folder: Path, options: tuple[object, ...]) -> None:
    (folder / "text").write_text("hello")
    ran = run("collateral", "import", folder / "collateral", folder / "text", *options)
    assert ran.code == 4


def test_an_empty_store_says_so(run: Run) -> None:
    ran = run("collateral", "show")
    assert ran.code == 0
    assert "nothing stored" in ran.stdout
