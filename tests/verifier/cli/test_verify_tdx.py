"""`cvmproof verify` on TDX evidence: the same exit codes, raw quotes with and without padding, Intel's files."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cvmproof_simulator.tdx.collateral import Collateral
from cvmproof_simulator.tdx.evidence import nonce_evidence
from cvmproof_simulator.tdx.pcs import FakePcs
from cvmproof_simulator.tdx.td import SIMULATED_MRTD, SoftwareTd

from .conftest import NONCE, POLICY, Ran, Run

TD = SoftwareTd()
DATA = bytes(range(64))
TDX_POLICY = f'extends = "builtin:recommended"\n\n[tdx]\nmr_tds = ["{SIMULATED_MRTD.hex()}"]\n'
VerifyTd = Callable[..., Ran]


@pytest.fixture
def intel() -> Collateral:
    return Collateral.of(TD.platform, datetime.now(UTC).replace(microsecond=0) - timedelta(days=1))


@pytest.fixture
def verify_td(run: Run, tmp_path: Path, intel: Collateral) -> VerifyTd:
    """`verify_td(evidence, ...)`: offline, with what Intel hands out imported into a bundle."""
    files, bundle = tmp_path / "intel", tmp_path / "bundle"
    files.mkdir()
    for name, data in intel.files.items():
        (files / name).write_bytes(data)
    (tmp_path / "tdx.toml").write_text(TDX_POLICY)
    assert run("collateral", "import", files, "--out", bundle, "--trust", "simulated").code == 0

    def invoke(evidence: bytes, *more: object, policy: object = tmp_path / "tdx.toml") -> Ran:
        (tmp_path / "evidence").write_bytes(evidence)
        freshness = ("--nonce", NONCE.hex()) if evidence.startswith(b"{") else ("--report-data", DATA.hex())
        where = ("--collateral", bundle, "--offline", "--trust", "simulated")
        return run("verify", tmp_path / "evidence", *freshness, "--policy", policy, *where, *more)

    return invoke


@pytest.mark.parametrize("version", [4, 5])
def test_a_quote_is_accepted_with_exit_0_raw_padded_and_in_a_file(verify_td: VerifyTd, version: int) -> None:
    quote = TD.quote(DATA, version=version)
    for evidence in (quote, quote + bytes(3065), nonce_evidence(TD, NONCE, version=version, with_event_log=True)):
        ran = verify_td(evidence)
        assert ran.code == 0
        assert f"TDX · 51d000000000 · quote v{version}" in ran.stdout
        assert ran.stdout.splitlines()[-1].startswith("ACCEPTED (simulated)   evidence-only · no machine pinned")
    assert "3065 zero bytes behind the quote cut off" in verify_td(quote + bytes(3065)).stdout


def test_its_json_carries_intels_rating_in_intels_spelling(verify_td: VerifyTd) -> None:
    ran = verify_td(TD.quote(DATA), "--json")
    status = "UpToDate"
    wanted = {"status": status, "platform": status, "module": status, "qe": status, "advisories": []}
    assert ran.document["claims"]["tcb"] == wanted


def test_a_td_under_debug_is_rejected_with_exit_3_and_every_reason(verify_td: VerifyTd) -> None:
    ran = verify_td(nonce_evidence(TD, NONCE, {"td_attributes": 0x10000001, "mr_td": b"\7" * 48}), "--json")
    assert ran.code == 3
    assert ran.categories() == {"DEBUG", "MEASUREMENT"}
    failed = [check["id"] for check in ran.document["checks"] if check["outcome"] == "fail"]
    assert sorted(failed) == ["tdx.attributes.debug", "tdx.mr_td"]


@pytest.mark.parametrize(
    ("evidence", "category"),
    [
        (b"\3" + TD.quote(DATA)[1:], "UNSUPPORTED"),
        (TD.quote(DATA, tee_type=0), "UNSUPPORTED"),
        (TD.quote(DATA)[:-1], "MALFORMED"),
        (TD.quote(DATA) + b"\0\1", "MALFORMED"),
        (TD.quote(DATA).ljust(65537, b"\0"), "SIZE_LIMIT"),
    ],
)
def test_what_is_no_quote_is_exit_2(verify_td: VerifyTd, evidence: bytes, category: str) -> None:
    ran = verify_td(evidence, "--json")
    assert (ran.code, ran.categories()) == (2, {category})


def test_without_intels_word_it_is_undecided_with_exit_4_and_says_what_to_fetch(run: Run, tmp_path: Path) -> None:
    (tmp_path / "tdx.toml").write_text(TDX_POLICY)
    (tmp_path / "quote").write_bytes(TD.quote(DATA))
    arguments = ("verify", tmp_path / "quote", "--report-data", DATA.hex(), "--policy", tmp_path / "tdx.toml")
    ran = run(*arguments, "--offline", "--trust", "simulated", "--json")
    assert ran.code == 4
    assert ran.document["claims"]["tcb"] is None
    assert "collateral fetch" in ran.document["error"]["hint"]


def test_what_is_missing_is_fetched_from_a_caching_service(run: Run, tmp_path: Path, intel: Collateral) -> None:
    (tmp_path / "tdx.toml").write_text(TDX_POLICY)
    (tmp_path / "quote").write_bytes(TD.quote(DATA))
    arguments = ("verify", tmp_path / "quote", "--report-data", DATA.hex(), "--policy", tmp_path / "tdx.toml")
    with FakePcs(intel, caching=True) as pccs:
        assert run(*arguments, "--trust", "simulated", "--pccs", pccs.url).code == 0
        asked = len(pccs.requests)
        assert run(*arguments, "--trust", "simulated", "--pccs", pccs.url).code == 0
        assert len(pccs.requests) == asked


def test_ac_095_no_simulated_quote_convinces_the_production_trust_set(run: Run, tmp_path: Path) -> None:
    (tmp_path / "tdx.toml").write_text(TDX_POLICY)
    (tmp_path / "quote").write_bytes(TD.quote(DATA))
    arguments = ("--report-data", DATA.hex(), "--policy", tmp_path / "tdx.toml", "--offline", "--json")
    ran = run("verify", tmp_path / "quote", *arguments)
    assert ran.code == 3
    assert {"SIMULATED"} <= ran.categories()


def test_a_policy_about_the_other_technology_takes_no_quote(verify_td: VerifyTd, tmp_path: Path) -> None:
    (tmp_path / "snp.toml").write_text(POLICY)
    ran = verify_td(TD.quote(DATA), "--json", policy=tmp_path / "snp.toml")
    assert ran.code == 3
    assert "policy.tee" in {check["id"] for check in ran.document["checks"] if check["outcome"] == "fail"}
