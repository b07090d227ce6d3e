"""What the answers about chain and revocation say, and what they name as missing."""

from dataclasses import replace

import pytest
from tests.verifier.snp.faults import FAULTS
from tests.verifier.snp.situation import Situation

from cvmproof.check import Check
from cvmproof_formats.snp.key_flags import MASK_CHIP_KEY
from cvmproof_formats.snp.product import KeyKind, ProductLine

GOOD = Situation()


def check(situation: Situation, question: str) -> Check:
    (found,) = (check for check in situation.appraise().checks if check.id == question)
    return found


@pytest.mark.parametrize(
    ("question", "expected", "got"),
    [
        ("snp.vek.kind", "VLEK", "VCEK"),
        ("snp.vek.product", "Milan", "Genoa"),
        ("snp.vek.tcb", "0a00000000001b56", "0a00000000001c56"),
        ("snp.vek.signature", "the intermediate's signature", "its signature is not the issuer's"),
        ("snp.chain.intermediate", "AMD's certificate profile", "its path length is 1"),
        ("snp.chain.intermediate_signature", "the root's signature", "its signature is not the issuer's"),
        ("snp.chain.root_signature", "the root's own signature", "its signature is not the issuer's"),
        ("snp.chain.validity", "2026-11-21T12:00:00Z", "valid from 2026-01-01 to 2026-11-20"),
        ("snp.crl.signature", "a revocation list that the root signed", "its signature is not the root's"),
        ("snp.crl.current", "2026-11-21T12:00:00Z", "a list from 2025-11-01 to 2026-11-02"),
        ("snp.crl.revoked", "not revoked", "serial number 0x20002 revoked"),
        ("snp.signature.report", "the endorsement key's signature", "another signature"),
        ("snp.report.guest_requested", "a guest at VMPL 0 to 3", "the host's request"),
    ],
)
def test_a_no_says_what_was_expected_and_what_was_found(question: str, expected: str, got: str) -> None:
    no = check(FAULTS[question][1], question)
    assert (no.expected, no.got) == (expected, got)


@pytest.mark.parametrize(
    ("question", "words"),
    [("snp.chain.trust_set", "simulated"), ("snp.chain.product", "VLEK"), ("snp.chain.root", "SHA-256")],
)
def test_a_no_about_the_root_names_it(question: str, words: str) -> None:
    assert words in check(FAULTS[question][1], question).got


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
