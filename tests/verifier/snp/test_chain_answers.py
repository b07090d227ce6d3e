"""What the answers about chain and revocation say, and what they name as missing."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.verifier.snp.faults import ASK_SERIAL, FAULTS
from tests.verifier.snp.situation import Situation, ids_of_no

from cvmproof.appraisal import Verdict
from cvmproof.check import Check
from cvmproof.collateral.collateral import Crl
from cvmproof_formats.snp.key_flags import MASK_CHIP_KEY
from cvmproof_formats.snp.product import KeyKind, ProductLine

GOOD = Situation()
UNREADABLE = replace(GOOD, without=frozenset({"crl"}), crls=(Crl(der=b"junk"),))


def check(situation: Situation, question: str) -> Check:
    (found,) = (check for check in situation.appraise().checks if check.id == question)
    return found


@pytest.mark.parametrize(
    ("question", "words"),
    [("snp.chain.trust_set", "simulated"), ("snp.chain.product", "VLEK"), ("snp.chain.root", "SHA-256")],
)
def test_a_no_about_the_root_names_it(question: str, words: str) -> None:
    assert words in check(FAULTS[question][1], question).got


@pytest.mark.parametrize(
    ("situation", "question", "expected", "got"),
    [
        (
            replace(GOOD, seen_before=timedelta(), without=frozenset({"crl"})),
            "snp.crl.rollback",
            "a list as new as any before",
            "none to compare",
        ),
        (
            replace(GOOD, seen_before=timedelta(seconds=1)),
            "snp.crl.rollback",
            "as new as 2026-11-01T00:00:01Z",
            "2026-11-01T00:00:00Z",
        ),
        (UNREADABLE, "snp.crl.current", "2026-11-21T12:00:00Z", "none at hand: a revocation list that the root signed"),
        (UNREADABLE, "snp.crl.revoked", "not revoked", "none at hand: a revocation list that the root signed"),
        (FAULTS["snp.chain.root"][1], "snp.chain.trust_set", "not a root of another set than simulated", "of none"),
        (
            replace(GOOD, intermediate={"common_name": "SEV-Rome"}),
            "snp.chain.product",
            "root and intermediate for Genoa VCEK",
            "root Genoa intermediate of none",
        ),
        (
            replace(GOOD, root={"common_name": "ARK-Rome"}),
            "snp.chain.product",
            "root and intermediate for Genoa VCEK",
            "root of none intermediate Genoa VCEK",
        ),
        (
            replace(GOOD, root={"path_length": 5}),
            "snp.chain.root",
            "a root key pinned for its product line",
            "its path length is 5",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_was_expected_and_what_was_got_is_said_in_words(
    situation: Situation, question: str, expected: str, got: str
) -> None:
    found = check(situation, question)
    assert (found.expected, found.got) == (expected, got)


@pytest.mark.parametrize("product", ProductLine)
@pytest.mark.parametrize("key", KeyKind)
def test_what_is_missing_is_named_for_whoever_has_to_get_it(product: ProductLine, key: KeyKind) -> None:
    machine = Situation(product=product, key=key)
    authority = f"SEV-{product}" if key is KeyKind.VCEK else f"SEV-VLEK-{product}"
    without = {of: replace(machine, without=frozenset({of})) for of in ("leaf", "intermediate", "root", "crl")}
    assert f"certificate of the {key}" in check(without["leaf"], "snp.vek.kind").got
    assert f"certificate {authority} and ARK-{product}" in check(without["intermediate"], "snp.vek.signature").got
    assert f"certificate ARK-{product}" in check(without["root"], "snp.chain.intermediate_signature").got
    assert authority not in check(without["root"], "snp.chain.intermediate_signature").got
    assert f"revocation list of {product} for a {key}" in check(without["crl"], "snp.crl.current").got


def test_a_masked_key_is_refused_whatever_else_the_flags_say() -> None:
    for flags in (MASK_CHIP_KEY, MASK_CHIP_KEY | 1):
        assert check(replace(GOOD, report={"key_flags": flags}), "snp.signature.key").outcome == "fail"
    assert check(GOOD, "snp.signature.key").outcome == "pass"


def test_a_vceks_chip_may_be_hidden_and_a_vleks_must_be() -> None:
    assert check(replace(GOOD, report={"chip_id": bytes(64)}), "snp.vek.chip_id").outcome == "pass"
    vlek = Situation(key=KeyKind.VLEK)
    assert check(vlek, "snp.vek.chip_id").outcome == "pass"
    named = check(replace(vlek, report={"chip_id": b"\x01" + bytes(63)}), "snp.vek.chip_id")
    assert (named.outcome, named.got) == ("fail", "a key of no chip")


def test_an_entry_in_the_list_kept_for_the_other_kind_of_key_rejects_as_well() -> None:
    revoking = replace(GOOD, crl={"revoked": (ASK_SERIAL,)}).revocation_list
    beside = Crl(der=revoking, kind=KeyKind.VLEK)
    assert ids_of_no(replace(GOOD, crls=(beside,)).appraise()) == ["snp.crl.revoked"]
    alone = replace(GOOD, without=frozenset({"crl"}), crls=(beside,), revocation="if-available")
    assert ids_of_no(alone.appraise()) == ["snp.crl.revoked"]
    clean = Crl(der=GOOD.revocation_list, kind=KeyKind.VLEK)
    assert replace(GOOD, crls=(clean,)).appraise().verdict is Verdict.ACCEPTED
