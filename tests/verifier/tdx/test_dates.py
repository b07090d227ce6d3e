"""From when till when everything holds that a verdict rests on: all dates at once, and each for itself."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.verifier.tdx.situation import ISSUED, NOW, STRANGER, Situation

from cvmproof.collateral.collateral import Collateral
from cvmproof.freshness import NoFreshness
from cvmproof.tdx import case as case_module
from cvmproof.tdx.case import read_case
from cvmproof.tdx.dates import dates_of
from cvmproof.trust import TrustRoots

GOOD = Situation()
DATED = {
    "as it is": GOOD,
    "with grace": replace(GOOD, rules={"collateral_grace": 3600}),
    "short certificates": replace(GOOD, pck={"not_before": NOW, "not_after": NOW + timedelta(hours=1)}),
    "a short signer": replace(GOOD, signer={"not_before": NOW, "not_after": NOW + timedelta(hours=1)}),
    "a short list": replace(GOOD, pck_crl={"this_update": NOW, "lifetime": timedelta(hours=1)}),
    "a short list of the root": replace(GOOD, root_crl={"this_update": NOW, "lifetime": timedelta(hours=1)}),
    "short TCB info": replace(GOOD, tcb_info={"issue_date": NOW, "next_update": NOW + timedelta(hours=1)}),
    "a short QE identity": replace(GOOD, qe_identity={"issue_date": NOW, "next_update": NOW + timedelta(hours=1)}),
    "two lists": replace(GOOD, after=Collateral(intel_crls=(replace(GOOD, root_crl={"this_update": NOW}).roots_list,))),
    **{f"no {name}": replace(GOOD, without=frozenset({name})) for name in ("signer", "pck_crl", "root_crl")},
    **{f"no {name}": replace(GOOD, without=frozenset({name})) for name in ("tcb_info", "qe_identity")},
    "a forged list": replace(GOOD, pck_crl={"signed_by": STRANGER}),
    "no end of a list": replace(GOOD, pck_crl={"lifetime": None}),
}


def asked_about_dates(situation: Situation) -> list[tuple[str, str, str, str]]:
    found = [check for check in situation.appraise().checks if check.id.endswith((".validity", ".current"))]
    return [(check.id, check.outcome, check.expected, check.got) for check in found]


@pytest.mark.parametrize("name", DATED)
def test_all_dates_at_once_say_what_each_says_for_itself(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hours = [NOW + timedelta(hours=hour, seconds=second) for hour in (0, 1, 2) for second in (-1, 0, 1)]
    months = [ISSUED + timedelta(days=day, seconds=second) for day in (0, 30, 31, 365) for second in (-1, 0, 1, 3601)]
    moments = [replace(DATED[name], now=moment) for moment in (*hours, *months)]
    at_once = [asked_about_dates(situation) for situation in moments]
    monkeypatch.setattr(case_module, "dates_of", lambda *given: dates_of(*given)._replace(window=(NOW, NOW)))
    assert at_once == [asked_about_dates(situation) for situation in moments]


def test_dates_are_in_time_only_where_everything_is_there_once_and_holds() -> None:
    def in_time(situation: Situation) -> bool:
        case = read_case(
            situation.evidence,
            policy=situation.policy,
            trust=TrustRoots.simulated(),
            collateral=situation.collateral,
            freshness=NoFreshness(),
            now=situation.now,
        )
        case.ask_under(situation.policy)
        return case.in_time

    assert in_time(GOOD)
    assert in_time(replace(DATED["with grace"], now=ISSUED + timedelta(days=30, minutes=30)))
    assert not in_time(replace(GOOD, now=ISSUED + timedelta(days=30, minutes=30)))
    for name in ("two lists", "a forged list", "no end of a list", "no signer", "no pck_crl", "no tcb_info"):
        assert not in_time(DATED[name]), name


def test_ac_091_what_is_remembered_of_dates_is_bounded() -> None:
    assert 0 < dates_of.cache_parameters()["maxsize"] <= 1024
