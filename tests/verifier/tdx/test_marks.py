"""How new the collateral was, as it is remembered: what is signed, all the way up, and of this trust set."""

from dataclasses import replace

from tests.verifier.tdx.situation import ISSUED, STRANGER, Situation

from cvmproof.high_water import QE_IDENTITY_NAME, Mark, tcb_info_name
from cvmproof.tdx.marks import marks_of
from cvmproof_simulator.tdx.collateral import EVALUATION_NUMBER
from cvmproof_simulator.tdx.platform import SIMULATED_FMSPC

GOOD = Situation()


def names_seen(situation: Situation) -> set[str]:
    """What an appraisal says it saw."""
    return {name for name, _ in situation.appraise().seen}


def test_ac_117_what_is_remembered_is_what_is_verified_and_of_this_trust_set() -> None:
    json, every = {tcb_info_name(SIMULATED_FMSPC), QE_IDENTITY_NAME}, names_seen(GOOD)
    mark = Mark(number=EVALUATION_NUMBER, issued=ISSUED)
    assert {name: seen for name, seen in GOOD.appraise().seen if name in json} == dict.fromkeys(json, mark)
    lists = every - json
    assert len(lists) == 2
    (of_ca,) = lists - names_seen(replace(GOOD, without=frozenset({"pck_crl"})))
    for faulty, gone in (
        (replace(GOOD, tcb_info_signed_by=STRANGER), {tcb_info_name(SIMULATED_FMSPC)}),
        (replace(GOOD, qe_identity_signed_by=STRANGER), {QE_IDENTITY_NAME}),
        (replace(GOOD, signer={"signed_by": STRANGER}), json),
        (replace(GOOD, signer={"ca": True}), json),
        (replace(GOOD, authority={"signed_by": STRANGER}), {of_ca}),
        (replace(GOOD, authority={"path_length": 1}), {of_ca}),
        (replace(GOOD, pck_crl={"signed_by": STRANGER}), {of_ca}),
        (replace(GOOD, root_crl={"signed_by": STRANGER}), lists - {of_ca}),
        (replace(GOOD, root={"signed_by": STRANGER}), every),
        (replace(GOOD, trust="production"), every),
    ):
        assert names_seen(faulty) == every - gone


def test_ac_091_what_is_remembered_of_marks_is_bounded() -> None:
    assert 0 < marks_of.cache_parameters()["maxsize"] <= 1024
