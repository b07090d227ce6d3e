"""What a quote is judged by is chosen once for the same bytes: never by another's, nor beyond its validity."""

from dataclasses import replace
from datetime import timedelta

from tests.verifier.tdx.situation import NOW, Situation, assert_accepted

from cvmproof.appraisal import Verdict
from cvmproof.tdx.backing import choose_backing
from cvmproof.tdx.chain import examine_pck_chain
from cvmproof_formats.tdx.quote import read_quote

GOOD = Situation()
CHAIN = read_quote(GOOD.signed_quote).qe.pck_chain


def test_ac_091_the_same_bytes_are_judged_by_the_same_object_at_any_time() -> None:
    now = choose_backing(CHAIN, GOOD.collateral, NOW)
    assert choose_backing(CHAIN, GOOD.collateral, NOW + timedelta(days=400)) is now
    assert now.chain is examine_pck_chain(CHAIN)


def test_ac_091_what_is_remembered_does_not_outlive_its_validity() -> None:
    late = replace(GOOD, now=NOW + timedelta(days=400))
    for _ in range(2):
        assert_accepted(GOOD)
        assert late.appraise().verdict is not Verdict.ACCEPTED


def test_ac_091_other_collateral_is_another_choice() -> None:
    for kind in ("tcb_infos", "qe_identities", "intel_crls", "certificates"):
        without = replace(GOOD.collateral, **{kind: ()})
        assert choose_backing(CHAIN, without, NOW) is not choose_backing(CHAIN, GOOD.collateral, NOW)
    assert choose_backing(CHAIN, replace(GOOD.collateral, tcb_infos=()), NOW).tcb_info is None


def test_of_several_the_time_still_decides() -> None:
    other = Situation(tcb_info={"issue_date": NOW + timedelta(days=40), "next_update": NOW + timedelta(days=70)})
    both = GOOD.collateral.merged(other.collateral)
    now, later = (choose_backing(CHAIN, both, at).tcb_info for at in (NOW, NOW + timedelta(days=50)))
    assert now is not None
    assert later is not None
    assert now.signed == GOOD.signed_tcb_info
    assert later.signed == other.signed_tcb_info
