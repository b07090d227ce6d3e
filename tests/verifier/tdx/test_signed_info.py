"""Which TCB info and which QE identity count, of several: the newest that holds; others take nothing from a yes."""

from dataclasses import replace
from itertools import permutations

import pytest
from tests.verifier.snp.situation import categories, ids_of_no, ids_of_open
from tests.verifier.tdx.situation import (
    ATTACKER,
    ISSUED,
    NOW,
    STRANGER,
    Situation,
    assert_accepted,
    assert_refused,
    claims_of,
    later,
)

from cvmproof.appraisal import Verdict
from cvmproof.check import Unfit
from cvmproof.collateral.collateral import Collateral
from cvmproof.tdx import signed_info
from cvmproof.tdx.signed_info import choose_qe_identity, choose_tcb_info
from cvmproof_formats.errors import Category
from cvmproof_formats.tdx.signed_json import Signed
from cvmproof_formats.tdx.tcb_info import read_tcb_info
from cvmproof_formats.tdx.tcb_status import TcbStatus
from cvmproof_formats.x509 import read_certificate
from cvmproof_simulator.psp import spki_of
from cvmproof_simulator.tdx.platform import SIMULATED_FMSPC
from cvmproof_simulator.tdx.td import SoftwareModule

GOOD = Situation()
SPKI = read_certificate(GOOD.authorities.tcb_signing).spki
JSON = frozenset({"tcb_info", "qe_identity"})

# What somebody may supply beside the good ones.
STRAYS: dict[str, Situation] = {
    "by another key": replace(GOOD, number=99, tcb_info_signed_by=STRANGER, qe_identity_signed_by=STRANGER),
    "by an attacker's authorities": replace(GOOD, number=99, keys=ATTACKER),
    "of another platform": replace(
        GOOD, number=99, machine={"fmspc": b"\1" * 6}, qe_identity={"evaluation_number": GOOD.number}
    ),
    "older": replace(GOOD, number=19, rating={"platform": TcbStatus.REVOKED, "quoting_enclave": TcbStatus.REVOKED}),
    "no longer current": replace(
        GOOD, number=99, tcb_info={"next_update": later(days=-1)}, qe_identity={"next_update": later(days=-1)}
    ),
    "not yet issued": replace(
        GOOD,
        number=99,
        tcb_info={"issue_date": later(days=1), "next_update": later(days=9)},
        qe_identity={"issue_date": later(days=1), "next_update": later(days=9)},
    ),
    "of SGX": replace(
        GOOD, number=99, tcb_info_rewritten=((b'"TDX"', b'"SGX"'),), qe_identity_rewritten=((b'"TD_QE"', b'"QE"'),)
    ),
    "not to be read": replace(
        GOOD, tcb_info_rewritten=((b'"pceId"', b'"pceid"'),), qe_identity_rewritten=((b'"isvprodid"', b'"x"'),)
    ),
}


def json_of(situation: Situation) -> Collateral:
    """TCB info and QE identity alone."""
    whole = situation.collateral
    return Collateral(tcb_infos=whole.tcb_infos, qe_identities=whole.qe_identities)


@pytest.mark.parametrize("name", STRAYS)
def test_strays_and_order_change_no_verdict(name: str) -> None:
    strays = json_of(STRAYS[name])
    for supplied in (replace(GOOD, before=strays), replace(GOOD, after=strays)):
        assert_accepted(supplied)
        assert claims_of(supplied) == claims_of(GOOD)


def test_all_strays_together_change_no_verdict() -> None:
    strays = Collateral().merged(*map(json_of, STRAYS.values()))
    assert_accepted(replace(GOOD, before=strays))
    assert_accepted(replace(GOOD, after=strays))


@pytest.mark.parametrize("name", STRAYS.keys() - {"older"})
def test_strays_alone_accept_nothing(name: str) -> None:
    alone = replace(GOOD, without=JSON, after=json_of(STRAYS[name])).appraise()
    assert alone.verdict is not Verdict.ACCEPTED


@pytest.mark.parametrize("status", [TcbStatus.OUT_OF_DATE, TcbStatus.REVOKED, TcbStatus.NOT_SUPPORTED])
def test_ac_043_the_newest_counts_whatever_an_older_one_says(status: TcbStatus) -> None:
    newest = replace(GOOD, number=21, rating={"platform": status})
    older = json_of(GOOD)
    for supplied in (replace(newest, before=older), replace(newest, after=older)):
        launch = claims_of(supplied).rating
        assert launch is not None
        assert launch.status is status
        claims = claims_of(supplied)
        assert claims.tcb_info is not None
        assert claims.qe_identity is not None
        assert (claims.tcb_info.evaluation_number, claims.qe_identity.evaluation_number) == (21, 21)


def test_of_one_number_the_one_issued_last_counts() -> None:
    revoking = replace(
        GOOD,
        rating={"platform": TcbStatus.REVOKED, "quoting_enclave": TcbStatus.REVOKED},
        tcb_info={"issue_date": later(days=-1)},
        qe_identity={"issue_date": later(days=-1)},
    )
    for order in permutations((json_of(GOOD), json_of(revoking))):
        supplied = replace(GOOD, without=JSON, after=Collateral().merged(*order))
        assert_refused(supplied, Category.TCB, "tdx.tcb.revoked")


def test_a_signature_that_holds_comes_before_currency_and_that_before_the_number() -> None:
    def numbers(*several: Situation) -> set[int]:
        found = set()
        for order in permutations(several):
            chosen = choose_tcb_info(tuple(s.signed_tcb_info for s in order), SPKI, SIMULATED_FMSPC, NOW)
            assert chosen is not None
            assert chosen.info is not None
            found.add(chosen.info.evaluation_number)
        return found

    overdue = replace(GOOD, number=30, tcb_info={"next_update": later(days=-1)})
    forged = replace(GOOD, number=40, tcb_info_signed_by=STRANGER)
    foreign = replace(GOOD, number=50, machine={"fmspc": b"\1" * 6})
    assert numbers(overdue, forged, foreign) == {30}
    assert numbers(GOOD, overdue, forged, foreign) == {20}
    assert numbers(forged, foreign) == {40}
    assert numbers(replace(GOOD, number=21), GOOD) == {21}


def test_what_can_be_read_comes_before_what_can_not() -> None:
    unreadable = STRAYS["not to be read"].signed_tcb_info
    overdue = replace(GOOD, number=0, tcb_info={"next_update": later(days=-1)}).signed_tcb_info
    for order in ((unreadable, overdue), (overdue, unreadable)):
        # Whether or not the platform is known.
        for fmspc in (SIMULATED_FMSPC, None):
            chosen = choose_tcb_info(order, SPKI, fmspc, NOW)
            assert chosen is not None
            assert chosen.info is not None


def test_currency_counts_from_the_first_to_the_last_second() -> None:
    for issue_date, next_update, current in (
        (NOW, later(days=1), True),
        (ISSUED, NOW, True),
        (later(seconds=1), later(days=1), False),
        (ISSUED, later(seconds=-1), False),
    ):
        newer = replace(
            GOOD,
            number=21,
            tcb_info={"issue_date": issue_date, "next_update": next_update},
            qe_identity={"issue_date": issue_date, "next_update": next_update},
        )
        claims = claims_of(replace(GOOD, before=json_of(newer)))
        assert claims.tcb_info is not None
        assert claims.qe_identity is not None
        assert claims.tcb_info.evaluation_number == claims.qe_identity.evaluation_number == (21 if current else 20)


def test_nothing_supplied_is_nothing_chosen() -> None:
    assert choose_tcb_info((), SPKI, SIMULATED_FMSPC, NOW) is None
    assert choose_qe_identity((), SPKI, NOW) is None
    unknown = choose_tcb_info((GOOD.signed_tcb_info,), None, None, NOW)
    assert unknown is not None
    assert (unknown.signature_problem, unknown.info is None) == ("", False)


def test_what_can_not_be_read_says_why() -> None:
    unreadable = STRAYS["of SGX"]
    info = choose_tcb_info((unreadable.signed_tcb_info,), SPKI, SIMULATED_FMSPC, NOW)
    assert info is not None
    assert (info.info, info.signature_problem) == (None, "")
    assert isinstance(info.read, Unfit)
    assert info.read.what == "tcbInfo, id: expected 'TDX', got 'SGX'"
    identity = choose_qe_identity((unreadable.signed_qe_identity,), spki_of(STRANGER), NOW)
    assert identity is not None
    assert (identity.info, identity.signature_problem) == (None, "its signature is not the signing key's")
    assert isinstance(identity.read, Unfit)
    assert identity.read.what == "enclaveIdentity, id: expected 'TD_QE', got 'QE'"


@pytest.mark.parametrize(
    ("name", "category"), [("of SGX", Category.COLLATERAL_MISMATCH), ("not to be read", Category.MALFORMED)]
)
def test_ac_037_what_is_not_about_tds_is_refused(name: str, category: Category) -> None:
    stray = STRAYS[name]
    for of, changed in (
        ("tdx.tcb_info.form", replace(stray, number=20, qe_identity_rewritten=())),
        ("tdx.qe_identity.form", replace(stray, number=20, tcb_info_rewritten=())),
    ):
        appraisal = changed.appraise()
        assert appraisal.verdict is Verdict.REJECTED
        assert ids_of_no(appraisal) == [of]
        # What others say of it is that they know nothing.
        assert ids_of_open(appraisal)
        assert categories(appraisal) == {category, Category.UNAVAILABLE}


UNKNOWN_STATUS = ((b'"UpToDate"', b'"UpToDateish"'),)


@pytest.mark.parametrize(
    "unknown",
    [replace(GOOD, tcb_info_rewritten=UNKNOWN_STATUS), replace(GOOD, qe_identity_rewritten=UNKNOWN_STATUS)],
    ids=["of a platform", "of a quoting enclave"],
)
def test_ac_041_a_status_that_is_not_known_is_refused_as_one(unknown: Situation) -> None:
    assert_accepted(GOOD)
    appraisal = unknown.appraise()
    assert appraisal.verdict is Verdict.REJECTED
    assert [check.category for check in appraisal.failed] == [Category.TCB]
    assert "UpToDateish" in appraisal.failed[0].got


# --- what is remembered: AC-091 ---------------------------------------------------------------------------------------


def test_ac_091_what_is_read_is_read_from_the_bytes_whose_signature_was_checked() -> None:
    good, spki = GOOD.signed_tcb_info, SPKI
    changed = Signed(body=good.body.replace(b'"UpToDate"', b'"OutOfDate"'), signature=good.signature)
    for _ in range(2):
        for signed, problem in ((good, ""), (changed, "its signature is not the signing key's")):
            chosen = choose_tcb_info((signed,), spki, SIMULATED_FMSPC, NOW)
            assert chosen is not None
            assert chosen.signed == signed
            assert chosen.info == read_tcb_info(signed.body)
            assert chosen.signature_problem == problem


def test_ac_091_a_signature_is_remembered_for_the_key_it_was_checked_with() -> None:
    for _ in range(2):
        for spki, good in ((SPKI, True), (spki_of(STRANGER), False)):
            info = choose_tcb_info((GOOD.signed_tcb_info,), spki, SIMULATED_FMSPC, NOW)
            identity = choose_qe_identity((GOOD.signed_qe_identity,), spki, NOW)
            assert info is not None
            assert identity is not None
            assert (info.signature_problem == "") is (identity.signature_problem == "") is good


def test_ac_091_a_rating_is_remembered_for_what_it_was_made_of() -> None:
    better, worse = GOOD, replace(GOOD, rating={"platform": TcbStatus.OUT_OF_DATE})
    older_module = replace(GOOD, module=SoftwareModule(svn=6))
    older_enclave = replace(GOOD, machine={"qe_svn": 5})
    other_machine = replace(GOOD, machine={"pcesvn": 9})
    for _ in range(2):
        for situation, status in (
            (better, TcbStatus.UP_TO_DATE),
            (worse, TcbStatus.OUT_OF_DATE),
            (older_module, TcbStatus.OUT_OF_DATE),
            (older_enclave, TcbStatus.OUT_OF_DATE),
            (other_machine, TcbStatus.OUT_OF_DATE),
        ):
            rating = claims_of(situation).rating
            assert rating is not None
            assert rating.status is status


def test_ac_091_everything_remembered_is_bounded() -> None:
    for name in ("_tcb_info", "_qe_identity"):
        assert 0 < getattr(signed_info, name).cache_parameters()["maxsize"] <= 1024
