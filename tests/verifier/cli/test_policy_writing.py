"""`cvmproof policy new | from-evidence` write policies that read well, and nothing they could not read back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.verifier.policy.tables import snp, tdx

from cvmproof.appraisal import Appraisal, Verdict
from cvmproof.appraise import appraise
from cvmproof.collateral.collateral import Collateral
from cvmproof.freshness import ExpectedNonce
from cvmproof.policy.reading import read_policy
from cvmproof.trust import TrustRoots
from cvmproof_formats.evidence import read_evidence
from cvmproof_formats.pem import read_pem
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.tcb import Tcb
from cvmproof_formats.tdx.hierarchy import Ca
from cvmproof_formats.tdx.signed_json import read_signed
from cvmproof_simulator.evidence import collateral_files, nonce_evidence
from cvmproof_simulator.psp import SIMULATED_MEASUREMENT, ReportFields, SoftwarePsp
from cvmproof_simulator.tdx.collateral import Collateral as SimulatedCollateral
from cvmproof_simulator.tdx.evidence import nonce_evidence as nonce_evidence_of_td
from cvmproof_simulator.tdx.platform import SoftwarePlatform
from cvmproof_simulator.tdx.td import SoftwareModule, SoftwareTd

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


TDX = ("--mrtd", "AB" * 48, "--rtmr1", "00" * 48, "--rtmr2", "cd" * 48)


def test_a_new_policy_completes_the_recommended_one_for_tdx(run: Run, folder: Path) -> None:
    machine = ("--pin-ppid", "ef" * 16, "--pin-platform", "12" * 16, "--mrconfigid", "34" * 48)
    ran = run(*NEW, *TDX, "--rtmr0", "56" * 48, "--rtmr3", "78" * 48, *machine, "-o", folder / "new.toml")
    assert (ran.code, ran.stdout) == (0, "")
    policy = read_policy((folder / "new.toml").read_bytes(), name="new")
    rules = tdx(policy)
    assert (rules.mr_tds, rules.rtmr1, rules.rtmr2) == tuple(frozenset({v * 48}) for v in (b"\xab", b"\0", b"\xcd"))
    assert (rules.rtmr0, rules.rtmr3) == (frozenset({b"\x56" * 48}), frozenset({b"\x78" * 48}))
    assert (rules.ppids, rules.platform_instance_ids) == (frozenset({b"\xef" * 16}), frozenset({b"\x12" * 16}))
    assert rules.mr_config_ids == frozenset({b"\x34" * 48})
    assert policy.snp is None
    assert policy.constrains_software


def test_a_new_policy_takes_the_technologies_of_which_something_is_named(run: Run) -> None:
    both = run(*NEW, *TDX, "--measurement", "ab" * 48).stdout.encode()
    assert read_policy(both, name="both").constrains_software
    assert snp(read_policy(both, name="both")).measurements == frozenset({b"\xab" * 48})
    one = run(*NEW, "--measurement", "ab" * 48).stdout.encode()
    assert read_policy(one, name="one").tdx is None


@pytest.mark.parametrize(("left_out", "said"), [((), False), (("--rtmr1",), True), (("--rtmr1", "--rtmr2"), True)])
def test_firmware_alone_is_said_not_to_be_all_the_software(run: Run, left_out: tuple[str, ...], *, said: bool) -> None:
    options = dict(zip(TDX[::2], TDX[1::2], strict=True))
    given = [word for name, value in options.items() if name not in left_out for word in (name, value)]
    assert ("--rtmr1 and --rtmr2" in run(*NEW, *given).stderr) is said


def test_the_same_value_twice_is_written_once(run: Run) -> None:
    ran = run(*NEW, "--mrtd", "ab" * 48, "--mrtd", "AB" * 48)
    assert tdx(read_policy(ran.stdout.encode(), name="new")).mr_tds == frozenset({b"\xab" * 48})


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--mrtd", "ab"),
        ("--mrtd", "ab" * 48, "--rtmr1", "zz" * 48),
        ("--mrtd", "ab" * 48, "--pin-ppid", "00" * 16),
        ("--mrtd", "ab" * 48, "--pin-platform", "ab" * 64),
        ("--pin-ppid", "ab" * 16),
        ("--measurement", "ab" * 48, "--rtmr1", "ab" * 48),
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


# --- of a TD ---------------------------------------------------------------------------------------------------------

SIMULATED = TrustRoots.simulated()


def tdx_evidence(folder: Path, td: SoftwareTd, *, version: int = 5) -> Path:
    path = folder / "td.json"
    path.write_bytes(nonce_evidence_of_td(td, NONCE, version=version))
    return path


def under(text: str, evidence: Path, td: SoftwareTd) -> Appraisal:
    """Appraise under a policy that was written, with current collateral."""
    now = datetime.now(UTC).replace(microsecond=0)
    of_td = SimulatedCollateral.of(td.platform, now - timedelta(days=1))
    collateral = Collateral(
        certificates=read_pem(of_td.signing_chain),
        intel_crls=(of_td.root_crl, of_td.pck_crl),
        tcb_infos=(read_signed(of_td.tcb_info_response, "tcbInfo"),),
        qe_identities=(read_signed(of_td.qe_identity_response, "enclaveIdentity"),),
    )
    return appraise(
        read_evidence(evidence.read_bytes()),
        policies=[read_policy(text.encode(), name="written")],
        trust=SIMULATED,
        freshness=ExpectedNonce(NONCE),
        now=now,
        collateral=collateral,
    )


SEPT_VE, DEBUG_BIT, MIGRATES = 1 << 28, 1 << 0, 1 << 29
TDS = [
    SoftwareTd(),
    SoftwareTd(platform=SoftwarePlatform(ca=Ca.PROCESSOR)),
    SoftwareTd(module=SoftwareModule(version=3, svn=7)),
    SoftwareTd(td_attributes=0),
    SoftwareTd(td_attributes=SEPT_VE | MIGRATES, mr_service_td=b"\5" * 48),
    SoftwareTd(mr_config_id=b"\6" * 48, mr_owner=b"\7" * 48),
]


@pytest.mark.parametrize("td", TDS)
def test_a_policy_from_a_quote_accepts_that_quote_and_no_other(run: Run, folder: Path, td: SoftwareTd) -> None:
    ran = run("policy", "from-evidence", tdx_evidence(folder, td))
    assert ran.code == 0
    assert "nothing was checked" in ran.stderr
    assert "Nothing was checked" in ran.stdout
    appraisal = under(ran.stdout, folder / "td.json", td)
    assert appraisal.verdict is Verdict.ACCEPTED, [c.id for c in appraisal.checks if c.outcome == "fail"]
    others = (
        replace(td, mr_td=b"\1" * 48),
        replace(td, platform=replace(td.platform, secret=b"another")),
        td.extend(1, b"\2" * 48),
        td.extend(3, b"\2" * 48),
        replace(td, mr_owner_config=b"\3" * 48),
    )
    for other in others:
        assert under(ran.stdout, tdx_evidence(folder, other), other).verdict is Verdict.REJECTED


def test_a_policy_from_a_quote_names_machine_and_software(run: Run, folder: Path) -> None:
    td = SoftwareTd()
    rules = tdx(read_policy(run("policy", "from-evidence", tdx_evidence(folder, td)).stdout.encode(), name="written"))
    assert rules.mr_tds == frozenset({td.mr_td})
    assert (rules.rtmr0, rules.rtmr1, rules.rtmr2, rules.rtmr3) == tuple(frozenset({value}) for value in td.rtmrs)
    assert rules.ppids == frozenset({td.platform.ppid})
    assert rules.platform_instance_ids == frozenset({td.platform.instance_id})
    assert rules.fmspcs == frozenset({td.platform.fmspc})
    assert rules.minimum_module_svns == {"TDX_01": td.module.svn}
    assert rules.minimum_qe_svn == td.platform.qe_svn


@pytest.mark.parametrize(
    ("td", "rules"),
    [
        (SoftwareTd(), ""),
        (SoftwareTd(td_attributes=0), "tdx.attributes.sept_ve_disable"),
        (SoftwareTd(td_attributes=SEPT_VE | MIGRATES), "tdx.attributes.migratable"),
        (SoftwareTd(mr_service_td=b"\5" * 48), "tdx.mr_service_tds"),
        (SoftwareTd(module=SoftwareModule(svn=6)), "tdx.minimum_module_svns.TDX_01"),
        (SoftwareTd(module=SoftwareModule(version=0, svn=3)), "tdx.minimum_module_svns.TDX_00"),
        (SoftwareTd(platform=SoftwarePlatform(qe_svn=3)), "tdx.minimum_qe_svn"),
    ],
)
def test_what_the_recommended_policy_refuses_is_said(run: Run, folder: Path, td: SoftwareTd, rules: str) -> None:
    written = run("policy", "from-evidence", tdx_evidence(folder, td), "-o", folder / "td.toml")
    assert written.code == 0
    text = (folder / "td.toml").read_text()
    assert (f"# It takes what builtin:recommended refuses, by {rules}.\n" in text) is bool(rules)
    assert ("builtin:recommended refuses" in text) is bool(rules)


def test_debugging_is_never_written_into_a_policy(run: Run, folder: Path) -> None:
    td = SoftwareTd(td_attributes=SEPT_VE | DEBUG_BIT)
    text = run("policy", "from-evidence", tdx_evidence(folder, td)).stdout
    assert tdx(read_policy(text.encode(), name="written")).attributes["debug"] == "forbidden"
    assert under(text, folder / "td.json", td).verdict is Verdict.REJECTED


def test_a_raw_quote_with_padding_is_enough(run: Run, folder: Path) -> None:
    quote = SoftwareTd().quote(bytes(64))
    (folder / "quote.dat").write_bytes(quote + bytes(100))
    assert run("policy", "from-evidence", folder / "quote.dat").code == 0
    (folder / "quote.dat").write_bytes(quote[:-1])
    assert run("policy", "from-evidence", folder / "quote.dat").code == 2


def test_a_quote_of_version_4_says_nothing_of_service_tds(run: Run, folder: Path) -> None:
    td = SoftwareTd(mr_service_td=b"\5" * 48)
    text = run("policy", "from-evidence", tdx_evidence(folder, td, version=4)).stdout
    assert tdx(read_policy(text.encode(), name="written")).mr_service_tds == frozenset({bytes(48)})
