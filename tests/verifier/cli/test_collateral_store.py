"""`cvmproof collateral fetch | import | show`."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from cvmproof_formats.pem import write_pem
from cvmproof_simulator.kds import FakeKds
from cvmproof_simulator.misbehaviour import status
from cvmproof_simulator.psp import SoftwarePsp
from cvmproof_simulator.tdx.collateral import Collateral as Knowledge
from cvmproof_simulator.tdx.pcs import FakePcs
from cvmproof_simulator.tdx.platform import SoftwarePlatform
from cvmproof_simulator.tdx.td import SoftwareTd

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


# Intel's


@pytest.fixture
def knowledge() -> Knowledge:
    return Knowledge.of(SoftwarePlatform(), datetime.now(UTC).replace(microsecond=0) - timedelta(days=1))


@pytest.fixture
def pccs(knowledge: Knowledge) -> Iterator[FakePcs]:
    with FakePcs(knowledge, caching=True) as service:
        yield service


@pytest.fixture
def quote(folder: Path) -> Path:
    path = folder / "quote.bin"
    path.write_bytes(SoftwareTd().quote(bytes(64)))
    return path


FMSPC = SoftwarePlatform().fmspc.hex()
NAMES = ["root revocation list", "PCK Platform CA revocation list", "TCB info of FMSPC", "TD QE identity"]


def test_what_a_quote_needs_is_fetched_and_shown(
    run: Run, quote: Path, pccs: FakePcs, options: tuple[object, ...]
) -> None:
    ran = run("collateral", "fetch", "--evidence", quote, *options, "--pccs", pccs.url)
    assert ran.code == 0
    assert [any(name in line for name in NAMES) for line in ran.stdout.splitlines()] == [True] * 4
    shown = run("collateral", "show", *options, "--json").document
    assert [one["state"] for one in shown["objects"]] == ["fresh"] * 6
    assert f"TCB info of FMSPC {FMSPC.upper()}, standard" in [one["name"] for one in shown["objects"]]


@pytest.mark.parametrize(
    ("more", "query"),
    [
        ((), "update=standard"),
        (("--update", "standard"), "update=standard"),
        (("--update", "early"), "update=early"),
        (("--evaluation-number", "20"), "tcbEvaluationDataNumber=20"),
    ],
)
def test_an_fmspc_is_fetched_from_the_channel_that_was_named(
    more: tuple[str, ...], query: str, run: Run, pccs: FakePcs, options: tuple[object, ...]
) -> None:
    ran = run("collateral", "fetch", "--fmspc", FMSPC, *more, *options, "--pccs", pccs.url, "--json")
    assert [one["outcome"] for one in ran.document["fetched"]] == ["fetched"] * 4
    assert [path for path in pccs.requests if "tcb" in path or "qe" in path] == [
        f"/tdx/certification/v4/tcb?fmspc={FMSPC.upper()}&{query}",
        f"/tdx/certification/v4/qe/identity?{query}",
    ]


def test_the_processor_ca_is_named(run: Run, pccs: FakePcs, options: tuple[object, ...]) -> None:
    assert run("collateral", "fetch", "--fmspc", FMSPC, "--ca", "processor", *options, "--pccs", pccs.url).code == 0
    assert "/sgx/certification/v4/pckcrl?ca=processor&encoding=der" in pccs.requests


def test_a_caching_service_may_have_its_own_authority(
    run: Run, knowledge: Knowledge, options: tuple[object, ...], tmp_path: Path
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with FakePcs(knowledge, caching=True, tls=context) as service:
        arguments = ("collateral", "fetch", "--fmspc", FMSPC, *options, "--pccs", service.url)
        assert run(*arguments).code == 5
        assert run(*arguments, "--pccs-ca", tmp_path / "ca.pem").code == 0
        assert run(*arguments, "--pccs-ca", tmp_path / "none.pem").code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("--fmspc", "00"), ("--fmspc", "xx806F050000"), ("--fmspc", FMSPC, "--product", "Genoa"),
        ("--fmspc", FMSPC, "--ca", "root"), ("--fmspc", FMSPC, "--update", "late"),
        ("--fmspc", FMSPC, "--update", "early", "--evaluation-number", "18"),
        ("--fmspc", FMSPC, "--evaluation-number", "-1"), ("--fmspc", FMSPC, "--evaluation-number", "4294967296"),
        ("--fmspc", FMSPC, "--pccs", "http://pccs.example"), ("--fmspc", FMSPC, "--pccs", "x"),
        ("--product", "Genoa", "--update", "early"), ("--product", "Genoa", "--evaluation-number", "18"),
    ],
)  # fmt: skip
def test_what_cannot_be_fetched_is_used_wrongly(arguments: tuple[str, ...], run: Run) -> None:
    assert run("collateral", "fetch", *arguments, "--trust", "simulated").code == 1


def test_channels_are_not_for_snp_evidence(run: Run, folder: Path) -> None:
    ran = run("collateral", "fetch", "--evidence", folder / "good.json", "--update", "early")
    assert (ran.code, "Intel's" in ran.stderr) == (1, True)


def vendors_files(knowledge: Knowledge, folder: Path) -> list[Path]:
    files = {
        "pck.crl": write_pem(knowledge.pck_crl, "X509 CRL"),
        "tcbInfo.json": knowledge.tcb_info_response,
        "root.der": knowledge.root_crl,
        "qeIdentity.json": knowledge.qe_identity_response,
        "signing.pem": write_pem(knowledge.authorities.tcb_signing),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in files]


def test_vendors_files_make_a_bundle_that_is_enough_for_a_verdict(
    run: Run, folder: Path, quote: Path, knowledge: Knowledge
) -> None:
    files, out = vendors_files(knowledge, folder), folder / "bundle"
    ran = run("collateral", "import", "--out", out, "--trust", "simulated", *files)
    assert ran.code == 0
    assert "not verified yet" in ran.stdout
    shown = run("collateral", "show", "--collateral", out, "--trust", "simulated")
    assert [line.split()[0] for line in shown.stdout.splitlines()[1:]] == ["fresh"] * 4 + ["loose"]
    verify = ("verify", quote, "--no-freshness", "--policy", "builtin:genuine", "--trust", "simulated", "--offline")
    assert run(*verify, "--json").document["verdict"] == "undecided"
    assert run(*verify, "--collateral", out, "--json").document["verdict"] == "accepted"


def test_a_bundle_may_be_about_another_time(run: Run, folder: Path) -> None:
    old = Knowledge.of(SoftwarePlatform(), datetime(2026, 2, 1, tzinfo=UTC) - timedelta(days=365))
    files = vendors_files(old, folder)
    ran = run("collateral", "import", "--out", folder / "bundle", "--trust", "simulated", *files, "--json")
    assert ran.code == 0
    verified = {Path(one["source"]).name: one["verified"] for one in ran.document["taken"]}
    assert verified == {path.name: path.name != "pck.crl" for path in files}
    own = run("collateral", "import", "--collateral", folder / "store", "--trust", "simulated", *files, "--json")
    assert own.code == 4
    assert {one["category"] for one in own.document["refused"]} == {"EXPIRED", "UNAVAILABLE"}


def test_a_forged_file_is_named_and_exit_4(run: Run, folder: Path, knowledge: Knowledge) -> None:
    files = vendors_files(knowledge, folder)
    forged = folder / "tcbInfo.json"
    forged.write_bytes(forged.read_bytes().replace(b'"pceId":"0000"', b'"pceId":"0001"', 1))
    ran = run("collateral", "import", "--out", folder / "bundle", "--trust", "simulated", *files)
    assert ran.code == 4
    assert "tcbInfo.json: SIGNATURE" in ran.stderr


def test_a_bundle_or_a_store_is_filled(run: Run, folder: Path, options: tuple[object, ...]) -> None:
    assert run("collateral", "import", "--out", folder / "bundle", *options, folder / "collateral").code == 1


def test_what_a_quote_lacks_is_fetched_for_its_verdict(
    run: Run, quote: Path, pccs: FakePcs, options: tuple[object, ...]
) -> None:
    verify = ("verify", quote, "--no-freshness", "--policy", "builtin:genuine", *options, "--pccs", pccs.url, "--json")
    assert run(*verify).document["verdict"] == "accepted"
    assert len(pccs.requests) == 4
    assert run(*verify).document["verdict"] == "accepted"
    assert len(pccs.requests) == 4


def test_nothing_is_fetched_for_a_quote_that_fails_a_check(
    run: Run, quote: Path, pccs: FakePcs, options: tuple[object, ...]
) -> None:
    data = bytearray(quote.read_bytes())
    data[200] ^= 1
    quote.write_bytes(data)
    ran = run("verify", quote, "--no-freshness", "--policy", "builtin:genuine", *options, "--pccs", pccs.url)
    assert (ran.code, pccs.requests) == (3, ())
