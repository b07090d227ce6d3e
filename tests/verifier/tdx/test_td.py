"""What is answered once for a TD: for this one, whatever its quote was made for."""

from dataclasses import replace

import pytest
from tests.verifier.snp.situation import ids_of_no
from tests.verifier.tdx.situation import REPORT_DATA, Situation, assert_accepted, policy_of, policy_without_tdx

from cvmproof.freshness import ExpectedReportData
from cvmproof.tdx.td import Td, ask_td, td_of
from cvmproof_formats.tdx.body import TdBody15
from cvmproof_formats.tdx.quote import read_quote
from cvmproof_simulator.tdx.quoting_enclave import QuoteChanges

GOOD = Situation()
FIFTH = Situation(version=5)


def td(situation: Situation) -> Td:
    return td_of(read_quote(situation.signed_quote))


@pytest.mark.parametrize("situation", [GOOD, FIFTH], ids=["4", "5"])
def test_a_td_is_the_body_without_its_report_data(situation: Situation) -> None:
    assert read_quote(situation.signed_quote).body.report_data == REPORT_DATA
    assert td(situation).body == replace(read_quote(situation.signed_quote).body, report_data=bytes(64))


def test_a_policy_without_rules_for_tdx_gives_none_to_ask_by() -> None:
    policy = policy_of("genuine", "required", {})
    assert ask_td(td(GOOD), policy).rules is policy.tdx
    with pytest.raises(AttributeError):
        _ = ask_td(td(GOOD), policy_without_tdx()).rules


@pytest.mark.parametrize("situation", [GOOD, FIFTH], ids=["4", "5"])
def test_ac_091_the_same_td_is_the_same_object_whatever_its_quote_was_made_for(situation: Situation) -> None:
    assert td(replace(situation, report_data=bytes(64))) is td(situation)


def test_ac_091_any_other_field_is_another_td() -> None:
    seven = b"\7" * 48
    others: tuple[QuoteChanges, ...] = (
        {"mr_td": seven},
        {"rtmr0": seven},
        {"rtmr1": seven},
        {"rtmr2": seven},
        {"rtmr3": seven},
        {"mr_config_id": seven},
        {"mr_owner": seven},
        {"mr_owner_config": seven},
        {"mr_seam": seven},
        {"td_attributes": 7},
        {"xfam": 7},
    )
    found = [td(GOOD), *(td(replace(GOOD, quote=changes)) for changes in others)]
    assert len(set(map(id, found))) == len(found)
    assert td(FIFTH) is not td(GOOD)
    bound = td(replace(FIFTH, quote={"mr_service_td": b"\7" * 48}))
    assert bound is not td(FIFTH)
    assert isinstance(bound.body, TdBody15)


def test_ac_091_a_known_td_is_asked_for_its_report_data_each_time() -> None:
    stale = replace(GOOD, freshness=ExpectedReportData(bytes(64)))
    debugged = replace(GOOD, quote={"td_attributes": 1})
    for _ in range(2):
        assert_accepted(GOOD)
        assert ids_of_no(stale.appraise()) == ["freshness.report_data"]
        assert ids_of_no(debugged.appraise()) == ["tdx.attributes.debug"]


def test_ac_091_what_a_td_is_taken_by_is_the_policy_that_asks() -> None:
    taking, refusing = (replace(GOOD, rules={"rtmr3": [value]}) for value in ("00" * 48, "01" * 48))
    for _ in range(2):
        assert_accepted(taking)
        assert ids_of_no(refusing.appraise()) == ["tdx.rtmr3"]
