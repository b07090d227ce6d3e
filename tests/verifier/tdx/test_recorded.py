"""Real quotes with Intel's real collateral: rated as Intel rates them, or refused for the right reason."""

import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.verifier.snp.situation import categories, ids_of_no, ids_of_open
from tests.verifier.tdx.recorded import Row, appraise_row, collateral_of, first_of, rating_of, read, readable, rows

from cvmproof.appraisal import Appraisal, Verdict
from cvmproof.check import Outcome
from cvmproof.claims import TdxClaims
from cvmproof.collateral.collateral import Collateral
from cvmproof.document import appraisal_document
from cvmproof.policy.policy import Policy
from cvmproof.policy.reading import builtin_policy, read_policy
from cvmproof_formats.encoding import read_json
from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.evidence import read_evidence
from cvmproof_formats.pem import read_pem
from cvmproof_formats.tdx.body import TdBody, TdBody15
from cvmproof_formats.tdx.qe_identity import read_qe_identity
from cvmproof_formats.tdx.quote import read_padded_quote
from cvmproof_formats.tdx.signed_json import read_signed
from cvmproof_formats.tdx.tcb_info import read_tcb_info
from cvmproof_formats.tdx.tcb_status import TcbStatus

GENUINE = builtin_policy("genuine")
NO_LEVEL, DEBUG = "tdx.tcb.level", "tdx.attributes.debug"
# Beginnings of file names. The root of pre-production platforms is Intel's too, but nobody's to rely on.
PRE_PRODUCTION = ("3f49cfeb29e6", "4fbd43612d8c")
CUT_OFF, ZERO_IN_PEM = "bad/f46afeb53826.bin", "bad/a15cfbbeef31.bin"
SYNTHETIC = "bad/intel-qvl-synthetic-tdx"
STRAY_BYTES = "3507b5f7e612_plus39.bin"


def outcomes(appraisal: Appraisal) -> list[tuple[str, Outcome]]:
    return [(check.id, check.outcome) for check in appraisal.checks]


def states_debug(recorded: Path, row: Row) -> bool:
    return bool(read_padded_quote(read(recorded / "tdx" / row.quote)).body.td_attributes & 1)


def test_every_row_is_rated_as_intel_rates_it(recorded: Path) -> None:
    for row in readable(recorded):
        rating = rating_of(appraise_row(recorded, row))
        launch = rating.launch
        assert rating.status == row.status, row
        assert (launch.platform, launch.module, launch.qe) == (row.part("plat"), row.part("mod"), row.part("qe")), row
        assert launch.advisories == row.advisories, row
        assert (launch.status, rating.current.status if rating.current else None) == (row.launch, row.current), row
        date = f"{launch.tcb_date:%Y-%m-%dT%H:%M:%SZ}" if launch.tcb_date else None
        assert date == row.tcb_date, row


def test_the_document_of_every_row_says_the_same(recorded: Path) -> None:
    for row in readable(recorded):
        claims = appraisal_document(appraise_row(recorded, row), [GENUINE])["claims"]
        assert claims["tee"] == "tdx"
        assert claims["tcb"] == {
            "status": row.status,
            "platform": row.part("plat"),
            "module": row.part("mod"),
            "qe": row.part("qe"),
            "advisories": list(row.advisories),
        }, row


def test_a_row_has_no_parts_exactly_where_no_level_fits(recorded: Path) -> None:
    for row in readable(recorded):
        assert (row.status == TcbStatus.NOT_SUPPORTED) == (not row.parts) == (row.tcb_date is None)


def test_ac_033_rows_with_a_short_quote_are_malformed(recorded: Path) -> None:
    short = [row for row in rows(recorded) if row.short]
    assert short
    for row in short:
        with pytest.raises(Malformed, match="signature data: expected"):
            appraise_row(recorded, row)


def test_genuine_takes_every_row_but_those_without_a_level_and_those_under_debug(recorded: Path) -> None:
    accepted = rejected = 0
    for row in readable(recorded):
        appraisal = appraise_row(recorded, row)
        expected = [NO_LEVEL] * (row.status == TcbStatus.NOT_SUPPORTED) + [DEBUG] * states_debug(recorded, row)
        assert (ids_of_no(appraisal), ids_of_open(appraisal)) == (expected, []), row
        assert appraisal.verdict is (Verdict.REJECTED if expected else Verdict.ACCEPTED), row
        assert not appraisal.simulated
        accepted, rejected = accepted + (not expected), rejected + bool(expected)
    assert accepted > 10 * rejected > 100


def test_ac_049_overdue_collateral_leaves_every_platform_undecided(recorded: Path) -> None:
    for row in {row.tcb: row for row in readable(recorded) if row.status == TcbStatus.UP_TO_DATE}.values():
        claims = appraise_row(recorded, row).claims
        assert isinstance(claims, TdxClaims)
        assert claims.tcb_info
        for at in (
            claims.tcb_info.next_update + timedelta(seconds=1),
            claims.tcb_info.issue_date - timedelta(seconds=1),
        ):
            appraisal = appraise_row(recorded, row, at=at)
            assert appraisal.verdict is not Verdict.ACCEPTED
            assert "tdx.tcb_info.current" in ids_of_open(appraisal)


def collateral_of_any(recorded: Path) -> tuple[Row, Collateral]:
    row = first_of(recorded, "")
    return row, collateral_of(recorded, row)


def chain_refused(recorded: Path, quote: bytes) -> None:
    row, collateral = collateral_of_any(recorded)
    appraisal = appraise_row(recorded, row, quote=quote, collateral=collateral)
    assert appraisal.verdict is Verdict.REJECTED
    assert "tdx.chain.root" in ids_of_no(appraisal)
    assert Category.CHAIN in categories(appraisal)
    # Its own signatures hold: the pinned root alone tells it apart.
    own = {"tdx.qe.signature", "tdx.qe.binding", "tdx.signature.quote", "tdx.pck.signature", "tdx.chain.root_signature"}
    assert not own & set(ids_of_no(appraisal) + ids_of_open(appraisal))


def test_quotes_of_pre_production_platforms_are_refused_by_their_root(recorded: Path) -> None:
    described = read_json(read(recorded / "tdx" / "quotes.json"), what="quotes.json", limit=1 << 20)
    assert isinstance(described, list)
    unverified = [entry["quote"] for entry in described if not entry["verified"]]
    assert {Path(name).stem for name in unverified} >= set(PRE_PRODUCTION)
    for name in (*unverified, f"bad/{PRE_PRODUCTION[0]}.bin"):
        chain_refused(recorded, read(recorded / "tdx" / name))


def test_quotes_without_a_row_of_their_own_have_every_signature_and_the_pinned_root(recorded: Path) -> None:
    row, collateral = collateral_of_any(recorded)
    theirs = {"tdx.qe.signature", "tdx.qe.binding", "tdx.signature.quote"}
    prefixes = ("tdx.pck.", "tdx.chain.intermediate", "tdx.chain.root")
    with_rows = {row.quote for row in rows(recorded)}
    rest = [
        path for path in sorted((recorded / "tdx" / "quotes").glob("*.bin")) if f"quotes/{path.name}" not in with_rows
    ]
    for path in rest:
        if path.stem in PRE_PRODUCTION:
            continue
        found = ids_of_no(appraise_row(recorded, row, quote=read(path), collateral=collateral))
        assert [id_ for id_ in found if id_ in theirs or id_.startswith(prefixes)] == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (CUT_OFF, "signature data: expected"),
        (ZERO_IN_PEM, "expected lines of 64 base64 characters"),
        (f"{SYNTHETIC}/quote.dat", "expected a CERTIFICATE block"),
    ],
)
def test_ac_033_a_damaged_quote_is_malformed(recorded: Path, name: str, message: str) -> None:
    with pytest.raises(Malformed, match=message) as caught:
        appraise_row(recorded, first_of(recorded, ""), quote=read(recorded / "tdx" / name))
    assert caught.value.category is Category.MALFORMED


def test_intels_synthetic_collateral_vouches_for_nobody(recorded: Path) -> None:
    folder = recorded / "tdx" / SYNTHETIC
    row = first_of(recorded, "")
    synthetic = Collateral(
        certificates=read_pem(read(folder / "tcbSignChain.pem")),
        intel_crls=(read(folder / "rootCaCrl.der"), read(folder / "intermediateCaCrl.der")),
        tcb_infos=(read_signed(read(folder / "tcbInfo.json"), "tcbInfo"),),
        qe_identities=(read_signed(read(folder / "qeIdentity.json"), "enclaveIdentity"),),
    )
    assert appraise_row(recorded, row, collateral=synthetic).verdict is not Verdict.ACCEPTED
    # And whoever adds it to genuine collateral changes nothing.
    for merged in (synthetic.merged(collateral_of(recorded, row)), collateral_of(recorded, row).merged(synthetic)):
        assert rating_of(appraise_row(recorded, row, collateral=merged)).status == row.status


def test_zero_bytes_behind_a_quote_are_cut_off_and_noted(recorded: Path) -> None:
    row, collateral = collateral_of_any(recorded)
    padded = [path for path in sorted((recorded / "tdx" / "padded").glob("*.bin")) if path.name != STRAY_BYTES]
    assert len(padded) >= 3
    for path in padded:
        count, data = int(path.stem.partition("_plus")[2]), read(path)
        with_zeros = appraise_row(recorded, row, quote=data, collateral=collateral)
        without = appraise_row(recorded, row, quote=data[:-count], collateral=collateral)
        assert outcomes(with_zeros) == outcomes(without)
        assert with_zeros.notes == (f"{count} zero bytes behind the quote cut off",)
        assert without.notes == ()


def test_a_quote_of_a_row_with_zero_bytes_behind_it_is_accepted_as_without(recorded: Path) -> None:
    row = first_of(recorded, "00b2526ab190")
    appraisal = appraise_row(recorded, row, quote=read(recorded / "tdx" / "padded" / "00b2526ab190_plus3065.bin"))
    assert appraisal.verdict is Verdict.ACCEPTED
    assert rating_of(appraisal) == rating_of(appraise_row(recorded, row))


def test_ac_033_other_bytes_behind_a_quote_are_malformed(recorded: Path) -> None:
    data = read(recorded / "tdx" / "padded" / STRAY_BYTES)
    row = first_of(recorded, STRAY_BYTES.partition("_")[0])
    with pytest.raises(Malformed, match="expected zero bytes behind its end"):
        appraise_row(recorded, row, quote=data)
    assert rating_of(appraise_row(recorded, row, quote=data[:-39])) == rating_of(appraise_row(recorded, row))


def test_all_collateral_at_once_gives_the_verdict_of_the_newest(recorded: Path) -> None:
    # Whoever adds older collateral, or that of other platforms, changes nothing.
    row = max(readable(recorded), key=lambda row: row.at)
    others = {other.tcb: collateral_of(recorded, other) for other in readable(recorded)}
    found = appraise_row(recorded, row, collateral=collateral_of(recorded, row).merged(*list(others.values())[:10]))
    assert rating_of(found) == rating_of(appraise_row(recorded, row))
    assert found.verdict is appraise_row(recorded, row).verdict


@pytest.mark.parametrize(
    ("log", "note"),
    [
        ("google+go-tdx-guest/ccel_data.dat", "explains RTMR0, RTMR1, RTMR2"),
        ("CCEL_data_gcp", "does not replay to RTMR0, RTMR1, RTMR2"),
    ],
)
def test_ac_082_an_event_log_beside_its_quote_explains_and_decides_nothing(recorded: Path, log: str, note: str) -> None:
    row, folder = first_of(recorded, "00b2526ab190"), recorded / "tdx" / "ccel"
    data = read(folder / "google+go-tdx-guest" / "cos-113-tdx-quote.dat")
    evidence = replace(read_evidence(data), event_log=read(folder / log))
    with_log = appraise_row(recorded, row, evidence=evidence)
    assert any(found.endswith(note) for found in with_log.notes)
    assert outcomes(with_log) == outcomes(appraise_row(recorded, row))
    assert with_log.verdict is Verdict.ACCEPTED


def completed(body: TdBody) -> Policy:
    """builtin:recommended for whatever software runs there."""
    document = {"extends": "builtin:recommended", "tdx": {"mr_tds": [body.mr_td.hex()]}}
    return read_policy(json.dumps(document).encode(), name="recommended")


def objections(row: Row, body: TdBody, numbers: tuple[int, int]) -> set[str]:
    """What builtin:recommended has against a row, from the row and the bytes of its quote."""
    svn, version = body.tee_tcb_svn[0], body.tee_tcb_svn[1]
    found = {
        "tdx.tcb.level": row.status == TcbStatus.NOT_SUPPORTED,
        "tdx.tcb.status": row.status not in {TcbStatus.NOT_SUPPORTED, TcbStatus.UP_TO_DATE},
        "tdx.tcb.evaluation_number": min(numbers) < 18,
        "tdx.tcb.evaluation_numbers": numbers[0] != numbers[1],
        "tdx.module.svn": svn < {1: 13, 3: 7}.get(version, 256),
        DEBUG: bool(body.td_attributes & 1),
        "tdx.attributes.sept_ve_disable": not body.td_attributes & 1 << 28,
        "tdx.attributes.migratable": bool(body.td_attributes & 1 << 29),
    }
    service_td = isinstance(body, TdBody15) and any(body.mr_service_td)
    return {name for name, objected in found.items() if objected} | ({"tdx.mr_service_td"} if service_td else set())


def test_recommended_takes_what_is_current_and_well_configured_and_nothing_else(recorded: Path) -> None:
    verdicts = Counter[Verdict]()
    for row in readable(recorded):
        body = read_padded_quote(read(recorded / "tdx" / row.quote)).body
        collateral = collateral_of(recorded, row)
        numbers = (
            read_tcb_info(collateral.tcb_infos[0].body).evaluation_number,
            read_qe_identity(collateral.qe_identities[0].body).evaluation_number,
        )
        appraisal = appraise_row(recorded, row, policies=[completed(body)])
        expected = objections(row, body, numbers)
        assert (set(ids_of_no(appraisal)), ids_of_open(appraisal)) == (expected, []), row
        assert appraisal.verdict is (Verdict.REJECTED if expected else Verdict.ACCEPTED), row
        verdicts[appraisal.verdict] += 1
    assert min(verdicts[Verdict.ACCEPTED], verdicts[Verdict.REJECTED]) > 0
