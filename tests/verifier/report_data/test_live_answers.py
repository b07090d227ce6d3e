"""Evidence over a live connection: each answer beside its refused twin, in the words that people read."""

from dataclasses import replace

import pytest
from tests.verifier.channel.leaves import SIGNATURES_ONLY, key, leaf, read_leaf
from tests.verifier.report_data.faults import CA_LEAF, EKM, LEAF, NONCE, bound_to_channel, bound_to_key
from tests.verifier.snp.situation import Labels, Situation, categories, ids_of_no

from cvmproof.appraisal import Appraisal, Assurance, Verdict
from cvmproof.check import Outcome
from cvmproof.freshness import ExpectedNonce
from cvmproof.live import READER, ExpectedChannel, ExpectedKey
from cvmproof.snp.answering import ANSWERS
from cvmproof_formats.binding import (
    BindingKind,
    Role,
    Tee,
    channel_report_data,
    key_report_data,
    nonce_report_data,
    user_report_data,
)
from cvmproof_formats.errors import Category

ON_CHANNEL, ON_KEY = bound_to_channel(Situation()), bound_to_key(Situation())
LIVE = {"binding.labels", "freshness.nonce", "binding.leaf", "binding.report_data"}


def got(appraisal: Appraisal, question: str) -> str:
    (check,) = [check for check in appraisal.checks if check.id == question]
    return check.got


def labelled(situation: Situation, **labels: object) -> Situation:
    changed: Labels = {**situation.labels, **labels}  # type: ignore[typeddict-item]  # as stated by each test
    return replace(situation, labels=changed)


@pytest.mark.parametrize(("situation", "grade"), [(ON_CHANNEL, Assurance.CHANNEL_BOUND), (ON_KEY, Assurance.KEY_BOUND)])
def test_the_grade_is_that_of_the_connection_and_only_for_what_is_accepted(
    situation: Situation, grade: Assurance
) -> None:
    assert situation.appraise().assurance is grade
    debug = replace(situation, report={"policy": 0xB0000}).appraise()
    assert (debug.verdict, debug.assurance) == (Verdict.REJECTED, Assurance.EVIDENCE_ONLY)
    undecided = replace(situation, without=frozenset({"crl"})).appraise()
    assert (undecided.verdict, undecided.assurance) == (Verdict.UNDECIDED, Assurance.EVIDENCE_ONLY)


def test_ac_069_the_same_evidence_from_a_file_has_no_grade_whatever_its_label_says() -> None:
    from_a_file = replace(ON_KEY, freshness=ExpectedNonce(NONCE)).appraise()
    assert from_a_file.verdict is Verdict.ACCEPTED
    assert from_a_file.assurance is Assurance.EVIDENCE_ONLY
    channel = replace(ON_CHANNEL, freshness=ExpectedNonce(NONCE)).appraise()
    assert channel.verdict is Verdict.REJECTED
    assert "binding.domain" in ids_of_no(channel)


@pytest.mark.parametrize("situation", [ON_CHANNEL, ON_KEY])
def test_exactly_the_live_questions_are_asked_of_report_data(situation: Situation) -> None:
    appraisal = situation.appraise()
    asked = {check.id for check in appraisal.checks if check.id.startswith(("binding.", "freshness."))}
    assert asked == LIVE
    assert {check.id for check in appraisal.unconstrained}.isdisjoint(
        {*LIVE, "binding.domain", "freshness.report_data"}
    )
    from_a_file = Situation().appraise()
    assert {check.id for check in from_a_file.checks}.isdisjoint(LIVE)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({"binding": BindingKind.KEY}, "key binding by the server"),
        ({"binding": BindingKind.NONCE}, "nonce binding by the server"),
        ({"binding": BindingKind.USER}, "user binding by the server"),
        ({"binding": None}, "no binding by the server"),
        ({"role": Role.CLIENT}, "channel binding by the client"),
        ({"role": None}, "channel binding by nobody"),
        ({"spki": None}, "another key"),
        ({"spki": bytes(91)}, "another key"),
    ],
)
def test_ac_069_evidence_that_calls_itself_something_else_is_refused(labels: dict[str, object], said: str) -> None:
    appraisal = labelled(ON_CHANNEL, **labels).appraise()
    assert ids_of_no(appraisal) == ["binding.labels"]
    assert categories(appraisal) == {Category.BINDING}
    assert got(appraisal, "binding.labels") == said


@pytest.mark.parametrize("nonce", [None, NONCE[::-1], NONCE[:31]])
def test_ac_061_evidence_that_says_it_answers_another_nonce_is_refused(nonce: bytes | None) -> None:
    appraisal = labelled(ON_CHANNEL, nonce=nonce).appraise()
    assert ids_of_no(appraisal) == ["freshness.nonce"]
    assert categories(appraisal) == {Category.FRESHNESS}
    assert NONCE.hex() not in str(appraisal.failed[0])


def made(role: Role = Role.SERVER, tee: Tee = Tee.SEV_SNP) -> bytes:
    return channel_report_data(role=role, tee=tee, nonce=NONCE, spki=LEAF.spki, ekm=EKM)


OTHER_SPKI = read_leaf(leaf(key(b"another"))).spki
EXPECTED = made()


@pytest.mark.parametrize(
    ("report_data", "said"),
    [
        (made(role=Role.CLIENT), "evidence by the client: somebody's own, sent back"),
        (key_report_data(role=Role.SERVER, tee=Tee.SEV_SNP, nonce=NONCE, spki=LEAF.spki), "bound to the TLS key alone"),
        (nonce_report_data(role=Role.SERVER, tee=Tee.SEV_SNP, nonce=NONCE), "bound to the nonce alone"),
        (made(tee=Tee.TDX), None),
        (channel_report_data(role=Role.SERVER, tee=Tee.SEV_SNP, nonce=NONCE, spki=LEAF.spki, ekm=NONCE), None),
        (channel_report_data(role=Role.SERVER, tee=Tee.SEV_SNP, nonce=NONCE, spki=OTHER_SPKI, ekm=EKM), None),
        (channel_report_data(role=Role.SERVER, tee=Tee.SEV_SNP, nonce=EKM, spki=LEAF.spki, ekm=EKM), None),
        (user_report_data(tee=Tee.SEV_SNP, uid=0, user_data=NONCE), None),
        (EXPECTED[:32] + bytes(32), None),
        (EXPECTED[:63] + bytes([EXPECTED[63] ^ 1]), None),
        (bytes(64), None),
        (NONCE + EKM, None),
    ],
)
def test_ac_067_ac_071_report_data_made_of_anything_else_is_refused(report_data: bytes, said: str | None) -> None:
    appraisal = replace(ON_CHANNEL, report_data=report_data).appraise()
    assert ids_of_no(appraisal) == ["binding.report_data"]
    assert categories(appraisal) == {Category.BINDING}
    assert got(appraisal, "binding.report_data") == (said or report_data.hex())


@pytest.mark.parametrize(
    ("usages", "said"),
    [
        (None, "no keyUsage"),
        (SIGNATURES_ONLY | {"key_cert_sign"}, "keyUsage digital_signature, key_cert_sign"),
        (frozenset({"key_cert_sign"}), "keyUsage key_cert_sign"),
    ],
)
def test_ac_078_a_leaf_that_may_do_more_is_refused_on_either_path(usages: frozenset[str] | None, said: str) -> None:
    certificate = read_leaf(leaf(key(b"agent"), usages=usages))
    for situation, expected in (
        (ON_KEY, ExpectedKey(reader=READER, role=Role.SERVER, nonce=NONCE, leaf=certificate)),
        (ON_CHANNEL, ExpectedChannel(reader=READER, role=Role.SERVER, nonce=NONCE, leaf=certificate, ekm=EKM)),
    ):
        appraisal = replace(situation, freshness=expected).appraise()
        assert ids_of_no(appraisal) == ["binding.leaf"]
        assert got(appraisal, "binding.leaf") == said
    assert certificate.spki == LEAF.spki == CA_LEAF.spki


def test_ac_078_a_key_that_is_not_on_p_256_can_not_be_bound_to() -> None:
    certificate = read_leaf(leaf(key(b"agent", "P-384")))
    expected = ExpectedChannel(reader=READER, role=Role.SERVER, nonce=NONCE, leaf=certificate, ekm=EKM)
    appraisal = labelled(replace(ON_CHANNEL, freshness=expected), spki=certificate.spki).appraise()
    assert ids_of_no(appraisal) == ["binding.report_data"]
    assert "SPKI: expected exactly 91 bytes, got 120 bytes" in got(appraisal, "binding.report_data")


@pytest.mark.parametrize("question", sorted(LIVE))
def test_asked_without_a_live_connection_it_is_our_own_error(question: str) -> None:
    case = type("Case", (), {"freshness": ExpectedNonce(NONCE), "evidence": ON_KEY.evidence})()
    with pytest.raises(TypeError, match="where a live connection was to be judged"):
        ANSWERS[question](case)


def test_an_unreadable_key_usage_is_a_no_and_no_crash() -> None:
    broken = replace(LEAF, extensions=tuple(each._replace(value=b"\x05\x00") for each in LEAF.extensions))
    expected = ExpectedChannel(reader=READER, role=Role.SERVER, nonce=NONCE, leaf=broken, ekm=EKM)
    appraisal = replace(ON_CHANNEL, freshness=expected).appraise()
    (check,) = appraisal.failed
    assert (check.id, check.outcome) == ("binding.leaf", Outcome.FAIL)
