"""`cvmproof verify`: each exit code, each source of certificates, each way to be used wrongly."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cvmproof_formats.pem import write_pem
from cvmproof_formats.snp.certificate_table import ARK, ASK, VCEK, TableEntry, build_certificate_table
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_simulator.evidence import collateral_files, nonce_evidence
from cvmproof_simulator.kds import FakeKds
from cvmproof_simulator.misbehaviour import status
from cvmproof_simulator.psp import SoftwarePsp

from .conftest import NONCE, POLICY, Ran, Run


def test_good_evidence_is_accepted_with_exit_0(verify: Run) -> None:
    ran = verify("good.json")
    assert ran.code == 0
    assert ran.stdout.splitlines()[-1].startswith("ACCEPTED (simulated)   evidence-only · no machine pinned")


def test_a_debug_guest_is_rejected_with_exit_3_and_every_reason(verify: Run, folder: Path, psp: SoftwarePsp) -> None:
    (folder / "evil.json").write_bytes(nonce_evidence(psp, NONCE, {"policy": 0xB0000, "measurement": b"\7" * 48}))
    ran = verify("evil.json", "--json")
    assert ran.code == 3
    assert ran.document["verdict"] == "rejected"
    assert ran.categories() == {"DEBUG", "MEASUREMENT"}


def test_missing_collateral_is_undecided_with_exit_4_and_says_what_to_fetch(run: Run, folder: Path) -> None:
    arguments = ("verify", folder / "good.json", "--nonce", NONCE.hex(), "--policy", folder / "policy.toml")
    ran = run(*arguments, "--offline", "--trust", "simulated", "--json")
    assert ran.code == 4
    assert ran.document["verdict"] == "undecided"
    assert ran.document["error"]["category"] == "UNAVAILABLE"
    assert "collateral fetch" in ran.document["error"]["hint"]


def test_malformed_evidence_is_exit_2(verify: Run, folder: Path) -> None:
    (folder / "bad.json").write_bytes(b'{"schema": ')
    ran = verify("bad.json", "--json")
    assert (ran.code, ran.document["error"]["class"], ran.categories()) == (2, "Malformed", {"MALFORMED"})


def test_evidence_of_an_unknown_version_is_exit_2(verify: Run, folder: Path, psp: SoftwarePsp) -> None:
    (folder / "v6.json").write_bytes(nonce_evidence(psp, NONCE, {"version": 6}))
    ran = verify("v6.json", "--json")
    assert (ran.code, ran.categories()) == (2, {"UNSUPPORTED"})


def test_too_large_evidence_is_exit_2(verify: Run, folder: Path) -> None:
    (folder / "large.bin").write_bytes(bytes(7 * 1024 * 1024))
    ran = verify("large.bin", "--json")
    assert (ran.code, ran.categories()) == (2, {"SIZE_LIMIT"})


def test_evidence_that_is_not_there_is_exit_1(verify: Run) -> None:
    ran = verify("nowhere.json")
    assert ran.code == 1
    assert "nowhere.json: can't be read: No such file" in ran.stderr


@pytest.mark.parametrize(
    "freshness",
    [(), ("--nonce", NONCE.hex(), "--no-freshness"), ("--nonce", NONCE.hex(), "--report-data", "00" * 64)],
)
def test_exactly_one_freshness_option_is_needed(run: Run, folder: Path, freshness: tuple[str, ...]) -> None:
    ran = run("verify", folder / "good.json", *freshness, "--policy", "builtin:genuine", "--json")
    assert ran.code == 1
    assert "exactly one of --nonce, --report-data and --no-freshness" in ran.document["error"]["message"]


@pytest.mark.parametrize(
    ("option", "value"), [("--nonce", "ab"), ("--nonce", "zz" * 32), ("--report-data", "00" * 63), ("--nonce", "")]
)
def test_expected_values_of_another_length_are_refused(run: Run, folder: Path, option: str, value: str) -> None:
    assert run("verify", folder / "good.json", option, value, "--policy", "builtin:genuine").code == 1


def test_another_nonce_is_rejected_as_not_fresh(run: Run, verify: Run, folder: Path) -> None:
    arguments = ("--policy", folder / "policy.toml", "--collateral", folder / "collateral", "--offline")
    ran = run("verify", folder / "good.json", "--nonce", "ff" * 32, *arguments, "--trust", "simulated", "--json")
    assert (ran.code, ran.categories()) == (3, {"FRESHNESS"})
    assert verify("good.json").code == 0


def test_a_raw_report_from_standard_input_is_accepted(run: Run, folder: Path, psp: SoftwarePsp) -> None:
    ran = run(
        *("verify", "-", "--report-data", "01" * 64, "--policy", folder / "policy.toml"),
        *("--certs", folder / "collateral", "--offline", "--trust", "simulated"),
        stdin=psp.report(b"\1" * 64),
    )
    assert (ran.code, ran.stdout.splitlines()[0][:14]) == (0, "standard input")


def test_the_bare_recommended_policy_is_refused_with_the_command_that_completes_it(verify: Run) -> None:
    ran = verify("good.json", "--json", policy="builtin:recommended")
    assert ran.code == 1
    assert ran.document["error"]["hint"].startswith("cvmproof policy new --from builtin:recommended --measurement HEX")


def test_a_floor_rejects_what_the_policy_allows(verify: Run, folder: Path) -> None:
    (folder / "lax.toml").write_text(POLICY + '\n[snp.guest_policy]\ndebug = "any"\n')
    assert verify("debug.json", policy=folder / "lax.toml").code == 0
    ran = verify("debug.json", "--floor", folder / "policy.toml", "--json", policy=folder / "lax.toml")
    assert (ran.code, ran.categories()) == (3, {"DEBUG"})
    assert [policy["name"] for policy in ran.document["policies"]] == [
        str(folder / "lax.toml"),
        str(folder / "policy.toml"),
    ]


def certificate_forms(psp: SoftwarePsp) -> dict[str, bytes]:
    leaf, ask, ark = psp.certificates()
    return {
        "bundle.pem": write_pem(leaf) + write_pem(ask) + write_pem(ark),
        "table.bin": build_certificate_table(
            (TableEntry(guid=VCEK, data=leaf), TableEntry(guid=ASK, data=ask), TableEntry(guid=ARK, data=ark))
        ),
    }


@pytest.mark.parametrize("form", ["bundle.pem", "table.bin"])
def test_certificates_may_be_a_bundle_or_a_table(run: Run, folder: Path, psp: SoftwarePsp, form: str) -> None:
    (folder / form).write_bytes(certificate_forms(psp)[form])
    lists = folder / "collateral" / "simulated-genoa-ark.crl"
    arguments = ("--nonce", NONCE.hex(), "--policy", folder / "policy.toml", "--offline", "--trust", "simulated")
    assert run("verify", folder / "good.json", *arguments, "--certs", folder / form, "--certs", lists).code == 0


def test_a_folder_of_certificates_may_hold_other_files(run: Run, folder: Path) -> None:
    (folder / "collateral" / "README").write_text("nothing of interest")
    arguments = ("--nonce", NONCE.hex(), "--policy", folder / "policy.toml", "--offline", "--trust", "simulated")
    ran = run("verify", folder / "good.json", *arguments, "--certs", folder / "collateral")
    assert ran.code == 0
    assert "passed over" in ran.stderr


def test_a_file_that_is_no_certificate_is_refused(verify: Run, folder: Path) -> None:
    (folder / "text").write_text("not a certificate")
    assert verify("good.json", "--certs", folder / "text").code == 2


def test_another_chips_certificate_is_rejected(verify: Run, folder: Path) -> None:
    other = SoftwarePsp(ProductLine.GENOA, chip_secret=b"another")
    for name in (folder / "collateral").glob("*vcek*"):
        name.unlink()
    (folder / "other.der").write_bytes(other.vek())
    ran = verify("good.json", "--certs", folder / "other.der", "--json")
    assert ran.code == 3
    assert {"COLLATERAL_MISMATCH", "SIGNATURE"} <= ran.categories()


def test_at_moves_the_clock_and_a_certificate_out_of_date_is_rejected(verify: Run) -> None:
    ran = verify("good.json", "--at", "2019-01-01T00:00:00Z", "--json")
    assert ran.code == 3
    assert ran.document["appraised_at"] == "2019-01-01T00:00:00Z"
    assert "EXPIRED" in ran.categories()


@pytest.mark.parametrize("time", ["2026-09-01", "2026-09-01T00:00:00", "yesterday", "2026-02-30T00:00:00Z", "٢٠٢٦"])
def test_a_time_without_its_zone_or_sense_is_refused(verify: Run, time: str) -> None:
    ran = verify("good.json", "--at", time)
    assert ran.code == 1
    assert "expected a time like" in ran.stderr


def test_ac_095_simulated_evidence_is_rejected_under_production_trust(run: Run, folder: Path, psp: SoftwarePsp) -> None:
    (folder / "complete.json").write_bytes(nonce_evidence(psp, NONCE, with_certificates=True))
    arguments = ("--nonce", NONCE.hex(), "--policy", folder / "policy.toml", "--offline", "--json")
    ran = run("verify", folder / "complete.json", *arguments)
    assert ran.code == 3
    assert "SIMULATED" in ran.categories()
    assert ran.document["simulated"] is True


def test_claims_say_what_the_report_says(verify: Run) -> None:
    claims = verify("good.json", "--json").document["claims"]
    assert (claims["product"], claims["key"], claims["version"]) == ("Genoa", "VCEK", 5)
    assert claims["tcb"] == "bl10/tee0/snp27/ucode86"
    assert claims["reported_tcb"] == {"boot_loader": 10, "tee": 0, "snp": 27, "microcode": 86}
    assert claims["firmware"] == {"current": "1.55.49", "committed": "1.55.49"}
    assert claims["id_key_digest"] is None
    assert claims["policy"] == {"value": "0x30000", "set": ["smt"], "abi": "0.0"}


def test_claims_of_a_masked_chip_and_a_provider(run: Run, folder: Path) -> None:
    psp = SoftwarePsp(ProductLine.TURIN, KeyKind.VLEK, version=3)
    (folder / "vlek.json").write_bytes(nonce_evidence(psp, NONCE, with_certificates=True))
    ran = run(
        *("verify", folder / "vlek.json", "--nonce", NONCE.hex(), "--policy", "builtin:genuine"),
        *("--offline", "--trust", "simulated", "--json"),
    )
    claims = ran.document["claims"]
    assert ran.code == 0
    assert (claims["chip_id"], claims["csp_id"], claims["mitigations"]) == (None, psp.csp_id, None)
    assert claims["reported_tcb"]["fmc"] == 1


def verify_online(run: Run, folder: Path, kds: FakeKds, *more: str) -> Ran:
    return run(
        *("verify", folder / "good.json", "--nonce", NONCE.hex(), "--policy", folder / "policy.toml"),
        *("--collateral", folder / "store", "--trust", "simulated", "--kds", kds.url, "--json", *more),
    )


def test_what_is_missing_is_fetched_once_and_kept(run: Run, folder: Path, psp: SoftwarePsp) -> None:
    with FakeKds(psp) as kds:
        assert verify_online(run, folder, kds).code == 0
        asked = len(kds.requests)
        assert asked == 3
        assert verify_online(run, folder, kds).code == 0
        assert len(kds.requests) == asked


def test_nothing_is_fetched_offline(run: Run, folder: Path, psp: SoftwarePsp) -> None:
    with FakeKds(psp) as kds:
        assert verify_online(run, folder, kds, "--offline").code == 4
        assert kds.requests == ()


def test_nothing_is_fetched_where_the_environment_says_offline(
    run: Run, folder: Path, psp: SoftwarePsp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CVMPROOF_OFFLINE", "true")
    with FakeKds(psp) as kds:
        assert verify_online(run, folder, kds).code == 4
        assert kds.requests == ()


def test_nothing_is_fetched_for_evidence_that_fails_a_check(run: Run, folder: Path, psp: SoftwarePsp) -> None:
    (folder / "good.json").write_bytes((folder / "debug.json").read_bytes())
    with FakeKds(psp) as kds:
        assert verify_online(run, folder, kds).code == 3
        assert kds.requests == ()


def test_a_fetch_that_fails_is_undecided_with_its_reason(run: Run, folder: Path, psp: SoftwarePsp) -> None:
    with FakeKds(psp) as kds:
        kds.misbehave(status(404))
        ran = verify_online(run, folder, kds)
    assert ran.code == 4
    assert "404" in ran.document["error"]["message"]


def test_a_fetch_at_another_time_says_so(run: Run, folder: Path, psp: SoftwarePsp) -> None:
    moment = datetime.now(UTC) - timedelta(hours=1)
    with FakeKds(psp) as kds:
        ran = verify_online(run, folder, kds, "--at", f"{moment:%Y-%m-%dT%H:%M:%SZ}")
    assert ran.code == 0
    assert "fetched as of today" in ran.stderr


def test_plain_http_is_refused_under_production_trust(run: Run, folder: Path, psp: SoftwarePsp) -> None:
    with FakeKds(psp) as kds:
        ran = run(
            *("verify", folder / "good.json", "--nonce", NONCE.hex(), "--policy", folder / "policy.toml"),
            *("--kds", kds.url, "--json"),
        )
        assert kds.requests == ()
    assert (ran.code, ran.categories()) == (1, {"ENDPOINT"})


def test_a_revoked_intermediate_is_rejected_also_where_revocation_is_optional(
    verify: Run, folder: Path, psp: SoftwarePsp
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    files = collateral_files(psp, now)
    revoking = psp.authorities.crl(now, revoked=(0x20002,))
    name = next(name for name in files if name.endswith(".crl"))
    assert verify("good.json", policy="builtin:genuine").code == 0
    (folder / "collateral" / name).write_bytes(revoking)
    ran = verify("good.json", "--json", policy="builtin:genuine")
    assert (ran.code, ran.categories()) == (3, {"REVOKED"})
