"""The chain to AMD's root: attackers' chains, wrong profiles, other certificates beside it, and what is remembered."""

import sys
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.verifier.snp.situation import (
    ISSUED,
    NOW,
    STRANGER,
    CrlChanges,
    Situation,
    VekChanges,
    attackers_keys,
    categories,
    ids_of_no,
    ids_of_open,
)

from cvmproof.appraisal import Verdict
from cvmproof.collateral.collateral import Crl
from cvmproof.signature import verify_pss_sha384
from cvmproof.snp import chain as chain_module
from cvmproof.snp.chain import NO_CHAIN, chains_of, choose_chain, crl_problem, verify_link
from cvmproof.trust import TrustRoots
from cvmproof_formats import der
from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.report import AttestationReport
from cvmproof_formats.snp.tcb import Tcb
from cvmproof_formats.snp.vek import BOOT_LOADER_SPL, CSP_ID, HWID, MICROCODE_SPL, PRODUCT_NAME, SNP_SPL
from cvmproof_formats.x509 import Extension, KeyUsage, read_certificate, read_crl
from cvmproof_simulator.ca import AmdCa, CaChanges, CertificateChanges
from cvmproof_simulator.psp import PLATFORMS, spki_of
from cvmproof_simulator.rsa_pss import Pkcs1, Pss

GOOD = Situation()
TRUST = TrustRoots.simulated()
ATTACKER = attackers_keys(GOOD.product)
LEVEL = PLATFORMS[GOOD.product].tcb
EVERY_MACHINE = [Situation(product=product, key=key) for product in ProductLine for key in KeyKind]
every_machine = pytest.mark.parametrize("machine", EVERY_MACHINE, ids=lambda m: f"{m.product}-{m.key}")


def assert_refused(situation: Situation, category: Category, *ids: str) -> None:
    appraisal = situation.appraise()
    assert appraisal.verdict is Verdict.REJECTED
    assert category in {check.category for check in appraisal.failed}
    assert not ids or ids_of_no(appraisal) == list(ids)


# --- whose chain -----------------------------------------------------------------------------------------------------


@every_machine
def test_ac_011_a_chain_of_the_same_names_under_other_keys_is_refused(machine: Situation) -> None:
    attacker = replace(machine, keys=attackers_keys(machine.product))
    honest, forged = ([read_certificate(c) for c in situation.certificates] for situation in (machine, attacker))
    assert [(c.subject, c.issuer, c.serial) for c in honest] == [(c.subject, c.issuer, c.serial) for c in forged]
    assert_refused(attacker, Category.CHAIN, "snp.chain.root")


@every_machine
def test_ac_012_a_root_that_is_not_pinned_is_refused_wherever_it_came_from(machine: Situation) -> None:
    attacker = replace(machine, keys=attackers_keys(machine.product))
    assert_refused(attacker, Category.CHAIN, "snp.chain.root")
    in_the_evidence = replace(attacker, before=attacker.certificates)
    assert_refused(in_the_evidence, Category.CHAIN, "snp.chain.root")
    # The genuine root beside it vouches for nothing it did not sign.
    assert_refused(replace(attacker, after=(machine.chain["root"],)), Category.CHAIN)


@every_machine
def test_ac_012_without_its_root_a_chain_is_undecided(machine: Situation) -> None:
    appraisal = replace(machine, without=frozenset({"root"})).appraise()
    assert appraisal.verdict is Verdict.UNDECIDED
    assert categories(appraisal) == {Category.UNAVAILABLE}


def test_a_root_of_another_line_is_not_pinned_for_this_one() -> None:
    # Turin's real simulated root, under Genoa's name: the pin is for a key and a product line together.
    assert_refused(replace(GOOD, keys=attackers_keys(ProductLine.MILAN)), Category.CHAIN, "snp.chain.root")


@pytest.mark.parametrize(
    ("root", "problem"),
    [
        ({"common_name": "ARK-Rome"}, "ARK-<product>"),
        ({"common_name": "SEV-Genoa-Root"}, "ARK-<product>"),
        ({"ca": False}, "not a CA"),
        ({"key_usage": None}, "keyCertSign"),
        ({"key_usage": KeyUsage(crl_sign=True)}, "keyCertSign"),
        ({"path_length": 0}, "path length is 0"),
        ({"form": Pss(digest="sha256", salt=32)}, "not signed with RSA-PSS"),
        ({"form": Pkcs1()}, "not signed with RSA-PSS"),
        ({"add": (Extension(oid="2.5.29.30", critical=True, value=der.sequence()),)}, "critical extension 2.5.29.30"),
    ],
)
def test_ac_017_a_root_outside_amds_profile_is_refused(root: CaChanges, problem: str) -> None:
    situation = replace(GOOD, root=root)
    assert_refused(situation, Category.CHAIN)
    (no,) = (check for check in situation.appraise().failed if check.id == "snp.chain.root")
    assert problem in no.got


@pytest.mark.parametrize(
    ("intermediate", "problem"),
    [
        ({"ca": False}, "it is not a CA"),
        ({"drop": ("2.5.29.19",)}, "it is not a CA"),
        ({"key_usage": None}, "its key usage lacks keyCertSign"),
        ({"key_usage": KeyUsage(crl_sign=True)}, "its key usage lacks keyCertSign"),
        ({"key_usage": KeyUsage(digital_signature=True)}, "its key usage lacks keyCertSign"),
        ({"path_length": None}, "its path length is None"),
        ({"path_length": 1}, "its path length is 1"),
        ({"form": Pss(digest="sha256", salt=32)}, "not signed with RSA-PSS"),
        ({"form": Pss(digest="sha384", salt=20)}, "not signed with RSA-PSS"),
        ({"form": Pss(digest="sha512", salt=48)}, "not signed with RSA-PSS"),
        ({"form": Pkcs1()}, "not signed with RSA-PSS"),
        ({"add": (Extension(oid="2.5.29.36", critical=True, value=der.sequence()),)}, "critical extension 2.5.29.36"),
        ({"spki": spki_of(STRANGER)}, "expected RSA of 4096 bits"),
    ],
)
@pytest.mark.parametrize("key", KeyKind)
def test_ac_017_an_intermediate_outside_amds_profile_is_refused(
    key: KeyKind, intermediate: CaChanges, problem: str
) -> None:
    situation = replace(GOOD, key=key, intermediate=intermediate)
    assert_refused(situation, Category.CHAIN)
    (no,) = (check for check in situation.appraise().failed if check.id == "snp.chain.intermediate")
    assert problem in no.got


@pytest.mark.parametrize(
    "form",
    [
        Pss(digest="sha256", salt=20),
        Pss(digest="sha384", salt=20),
        Pss(digest="sha384", salt=47),
        Pss(digest="sha512", salt=48),
        Pkcs1(),
        # What is declared is right and what was done is not.
        Pss(digest="sha256", salt=20, declared=Pss().algorithm),
        Pss(digest="sha384", salt=20, declared=Pss().algorithm),
        Pkcs1(declared=Pss().algorithm),
    ],
    ids=str,
)
@pytest.mark.parametrize("of", ["leaf", "intermediate", "root"])
def test_ac_017_another_signature_scheme_is_refused_declared_or_not(of: str, form: Pss | Pkcs1) -> None:
    changed: dict[str, Situation] = {
        "leaf": replace(GOOD, leaf={"form": form}),
        "intermediate": replace(GOOD, intermediate={"form": form}),
        "root": replace(GOOD, root={"form": form}),
    }
    assert_refused(changed[of], Category.CHAIN)


@pytest.mark.parametrize("trailer_field", [True, False])
def test_both_spellings_of_amds_signature_algorithm_are_read(trailer_field: bool) -> None:
    form = Pss(trailer_field=trailer_field)
    situation = replace(GOOD, leaf={"form": form}, intermediate={"form": form}, root={"form": form})
    assert situation.appraise().verdict is Verdict.ACCEPTED


def test_ac_017_an_endorsement_key_is_no_authority() -> None:
    another_chips = replace(GOOD, tcb=replace(LEVEL, snp=20)).chain["leaf"]
    situation = replace(
        GOOD,
        signed_by=STRANGER,
        leaf={"issuer": "SEV-VCEK", "signed_by": ATTACKER.ask, "spki": spki_of(STRANGER)},
        before=(another_chips,),
    )
    assert_refused(situation, Category.CHAIN)


def test_ac_017_a_self_signed_endorsement_key_has_no_chain() -> None:
    appraisal = replace(GOOD, leaf={"issuer": "SEV-VCEK", "signed_by": ATTACKER.ask}).appraise()
    assert appraisal.verdict is not Verdict.ACCEPTED


# --- whose certificate -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("product", "component"),
    [(product, name) for product in ProductLine for name in PLATFORMS[product].tcb.components()],
)
@pytest.mark.parametrize("off", [-1, 1])
def test_ac_014_a_key_for_another_tcb_is_refused_component_by_component(
    product: ProductLine, component: str, off: int
) -> None:
    level = replace(PLATFORMS[product].tcb, tee=1)
    machine = Situation(product=product, tcb=level)
    assert machine.appraise().verdict is Verdict.ACCEPTED
    changed = replace(level, **{component: level.components()[component] + off})
    assert_refused(replace(machine, says={"tcb": changed}), Category.COLLATERAL_MISMATCH, "snp.vek.tcb")


@pytest.mark.parametrize("product", ProductLine)
def test_ac_015_a_key_of_another_chip_is_refused(product: ProductLine) -> None:
    machine = Situation(product=product)
    size = len(machine.psp.identity.hwid or b"")
    for hwid in (bytes(size), b"\x5a" * size, (machine.psp.identity.hwid or b"")[:-1] + b"\x00"):
        assert_refused(replace(machine, says={"hwid": hwid}), Category.COLLATERAL_MISMATCH, "snp.vek.chip_id")


def test_ac_015_on_turin_bytes_behind_the_chips_eight_must_be_zero() -> None:
    machine = Situation(product=ProductLine.TURIN)
    chip_id = machine.psp.chip_id[:8] + b"\x01" + bytes(55)
    assert_refused(replace(machine, report={"chip_id": chip_id}), Category.COLLATERAL_MISMATCH, "snp.vek.chip_id")


def test_ac_015_a_report_that_names_a_chip_is_not_signed_with_a_providers_key() -> None:
    machine = Situation(key=KeyKind.VLEK, report={"chip_id": b"\x5a" * 64})
    assert_refused(machine, Category.COLLATERAL_MISMATCH, "snp.vek.chip_id")


CPUS = {ProductLine.MILAN: (0x19, 0x01), ProductLine.GENOA: (0x19, 0x11), ProductLine.TURIN: (0x1A, 0x02)}


@pytest.mark.parametrize("product", ProductLine)
@pytest.mark.parametrize("cpu", ProductLine)
@pytest.mark.parametrize("key", KeyKind)
def test_ac_013_the_product_line_of_key_and_cpu_must_be_one(
    product: ProductLine, cpu: ProductLine, key: KeyKind
) -> None:
    family, model = CPUS[cpu]
    machine = Situation(product=product, key=key, report={"cpuid_family": family, "cpuid_model": model})
    if product is cpu:
        assert machine.appraise().verdict is Verdict.ACCEPTED
    else:
        assert_refused(machine, Category.COLLATERAL_MISMATCH)
        assert "snp.vek.product" in ids_of_no(machine.appraise())


@pytest.mark.parametrize("cpu", [(0x19, 0x20), (0x19, 0xB0), (0x1A, 0x20), (0x17, 0x31), (0, 0)])
def test_ac_026_a_cpu_of_an_unknown_line_is_unsupported(cpu: tuple[int, int]) -> None:
    machine = Situation(report={"cpuid_family": cpu[0], "cpuid_model": cpu[1]})
    with pytest.raises(Malformed, match="no root key is known") as caught:
        machine.appraise()
    assert caught.value.category is Category.UNSUPPORTED


@pytest.mark.parametrize("name", ["SEV-Milan", "SEV-Turin", "SEV-VLEK-Genoa", "SEV-VLEK-Turin"])
def test_ac_013_an_intermediate_of_another_line_or_kind_is_refused(name: str) -> None:
    machine = replace(GOOD, intermediate={"common_name": name})
    assert_refused(machine, Category.COLLATERAL_MISMATCH, "snp.chain.product")


def duplicate(oid: str, value: bytes) -> Extension:
    return Extension(oid=oid, value=value)


@pytest.mark.parametrize(
    "leaf",
    [
        {"add": (duplicate(SNP_SPL, der.integer(27)),)},
        {"add": (duplicate(SNP_SPL, der.integer(99)),)},
        {"add": (duplicate(HWID, bytes(64)),)},
        {"add": (duplicate(CSP_ID, der.ia5_string("CN=one")),)},
        {"replace": (duplicate(SNP_SPL, der.octet_string(b"\x1b")),)},
        {"replace": (duplicate(SNP_SPL, der.utf8("27")),)},
        {"replace": (duplicate(SNP_SPL, b"\x02\x02\x00\x1b"),)},
        {"replace": (duplicate(SNP_SPL, der.integer(27) + b"\x00"),)},
        {"replace": (duplicate(MICROCODE_SPL, der.integer(256)),)},
        {"replace": (duplicate(PRODUCT_NAME, der.utf8("Genoa")),)},
        {"replace": (duplicate(PRODUCT_NAME, der.ia5_string("Rome")),)},
        {"replace": (duplicate(HWID, bytes(63)),)},
        {"drop": (BOOT_LOADER_SPL,)},
        {"drop": (HWID,)},
        {"critical": (SNP_SPL,)},
        {"add": (Extension(oid="1.2.3.4", value=der.null(), critical=True),)},
        {"add": (Extension(oid="1.2.3.4", value=der.null()),)},
    ],
    ids=str,
)
def test_ac_016_a_leaf_that_has_not_exactly_amds_extensions_is_refused(leaf: CertificateChanges) -> None:
    assert_refused(replace(GOOD, leaf=leaf), Category.CHAIN, "snp.vek.profile")


@pytest.mark.parametrize(
    ("leaf", "says"),
    [
        ({"common_name": "SEV-VLEK"}, {}),
        ({"common_name": "VCEK"}, {}),
        ({"serial": 1}, {}),
        ({"version": 1}, {}),
        ({"spki": ATTACKER.ask.spki}, {}),
        ({}, {"struct_version": 1, "tcb": Tcb(fmc=0, boot_loader=10, tee=0, snp=27, microcode=86), "hwid": bytes(8)}),
        ({}, {"csp_id": "CN=both"}),
        ({}, {"hwid": None}),
    ],
    ids=str,
)
def test_a_leaf_outside_amds_profile_is_refused(leaf: CertificateChanges, says: VekChanges) -> None:
    appraisal = replace(GOOD, leaf=leaf, says=says).appraise()
    assert appraisal.verdict is Verdict.REJECTED
    assert "snp.vek.profile" in ids_of_no(appraisal)
    assert Category.CHAIN in categories(appraisal)


@pytest.mark.parametrize("of", ["leaf", "intermediate", "root"])
@pytest.mark.parametrize("off", [timedelta(seconds=-1), timedelta(seconds=1)])
def test_every_certificate_must_be_valid_now(of: str, off: timedelta) -> None:
    starts: dict[str, datetime] = {"not_before": NOW + off}
    ends: dict[str, datetime] = {"not_after": NOW + off}
    for dates, too_soon_or_late in ((starts, off > timedelta()), (ends, off < timedelta())):
        situation = dated(of, dates)
        if too_soon_or_late:
            assert_refused(situation, Category.EXPIRED, "snp.chain.validity")
        else:
            assert situation.appraise().verdict is Verdict.ACCEPTED


def dated(of: str, dates: dict[str, datetime]) -> Situation:
    changes = CaChanges(**dates)  # type: ignore[typeddict-item]  # names of dates
    if of == "leaf":
        return replace(GOOD, leaf=CertificateChanges(**dates))  # type: ignore[typeddict-item]  # names of dates
    return replace(GOOD, root=changes) if of == "root" else replace(GOOD, intermediate=changes)


# --- revocation ------------------------------------------------------------------------------------------------------


@every_machine
@pytest.mark.parametrize("of", ["intermediate", "root"])
def test_ac_018_an_authority_on_the_revocation_list_is_refused(machine: Situation, of: str) -> None:
    serial = read_certificate(machine.chain[of]).serial
    assert_refused(replace(machine, crl={"revoked": (1, serial, 2)}), Category.REVOKED, "snp.crl.revoked")
    assert replace(machine, crl={"revoked": (serial + 0x1000,)}).appraise().verdict is Verdict.ACCEPTED


def test_ac_018_any_authentic_list_that_names_it_refuses_even_an_old_one_and_even_if_available() -> None:
    serial = read_certificate(GOOD.chain["intermediate"]).serial
    old = Crl(der=GOOD.authorities.crl(ISSUED - timedelta(days=800), revoked=(serial,)))
    for revocation in ("required", "if-available"):
        assert_refused(replace(GOOD, crls=(old,), revocation=revocation), Category.REVOKED, "snp.crl.revoked")


@every_machine
def test_ac_018_without_the_list_a_policy_that_needs_it_stays_undecided(machine: Situation) -> None:
    appraisal = replace(machine, without=frozenset({"crl"})).appraise()
    assert appraisal.verdict is Verdict.UNDECIDED
    assert categories(appraisal) == {Category.UNAVAILABLE}


def test_an_entry_for_serial_number_0_does_not_revoke_the_world() -> None:
    assert replace(GOOD, crl={"revoked": (0,)}).appraise().verdict is Verdict.ACCEPTED


@pytest.mark.parametrize(
    "crl",
    [
        {"signed_by": ATTACKER.ark},
        {"form": Pss(digest="sha256", salt=20)},
        {"form": Pkcs1()},
        {"form": Pss(salt=20, declared=Pss().algorithm)},
        {"lifetime": None},
        {"add": (Extension(oid="2.5.29.28", critical=True, value=der.sequence()),)},
    ],
    ids=str,
)
def test_ac_019_a_list_that_the_root_did_not_sign_as_amd_does_is_refused(crl: CrlChanges) -> None:
    assert_refused(replace(GOOD, crl=crl), Category.CHAIN)
    assert "snp.crl.signature" in ids_of_no(replace(GOOD, crl=crl).appraise())


def test_ac_019_a_list_of_a_root_that_may_not_sign_lists_is_refused() -> None:
    root: CaChanges = {"key_usage": KeyUsage(key_cert_sign=True)}
    assert_refused(replace(GOOD, root=root), Category.CHAIN, "snp.crl.signature")
    tolerant = replace(GOOD, root=root, revocation="if-available", without=frozenset({"crl"}))
    assert tolerant.appraise().verdict is Verdict.ACCEPTED


@pytest.mark.parametrize(
    "this_update",
    [NOW - timedelta(days=366, seconds=1), NOW - timedelta(days=4000), NOW + timedelta(seconds=1)],
)
def test_ac_019_a_list_that_is_not_current_leaves_it_undecided_as_expired(this_update: datetime) -> None:
    appraisal = replace(GOOD, crl={"this_update": this_update}).appraise()
    assert appraisal.verdict is Verdict.UNDECIDED
    assert ids_of_open(appraisal) == ["snp.crl.current"]
    assert categories(appraisal) == {Category.EXPIRED}


@pytest.mark.parametrize("this_update", [NOW - timedelta(days=366), NOW])
def test_a_list_is_current_from_its_first_to_its_last_second(this_update: datetime) -> None:
    assert replace(GOOD, crl={"this_update": this_update}).appraise().verdict is Verdict.ACCEPTED


def test_a_list_that_can_not_be_read_is_refused_alone_and_changes_nothing_beside_a_good_one() -> None:
    junk = Crl(der=b"junk")
    alone = replace(GOOD, without=frozenset({"crl"}), crls=(junk,))
    assert ids_of_no(alone.appraise()) == ["snp.crl.signature"]
    assert ids_of_open(alone.appraise()) == ["snp.crl.current", "snp.crl.revoked"]
    assert replace(GOOD, crls=(junk,)).appraise().verdict is Verdict.ACCEPTED


def test_a_forged_list_beside_a_good_one_revokes_nothing() -> None:
    serial = read_certificate(GOOD.chain["intermediate"]).serial
    forged = Crl(der=GOOD.authorities.crl(ISSUED, revoked=(serial,), signed_by=ATTACKER.ark))
    assert replace(GOOD, crls=(forged,)).appraise().verdict is Verdict.ACCEPTED


def test_a_list_of_another_issuer_or_kept_for_the_other_kind_of_key_is_none() -> None:
    other = Crl(der=Situation(product=ProductLine.TURIN).revocation_list)
    renamed = Crl(der=GOOD.authorities.crl(ISSUED, issuer="ARK-Milan"))
    for_vlek = Crl(der=GOOD.revocation_list, kind=KeyKind.VLEK)
    for crl in (other, renamed, for_vlek):
        appraisal = replace(GOOD, without=frozenset({"crl"}), crls=(crl,)).appraise()
        assert categories(appraisal) == {Category.UNAVAILABLE}
    for_vcek = Crl(der=GOOD.revocation_list, kind=KeyKind.VCEK)
    assert replace(GOOD, without=frozenset({"crl"}), crls=(for_vcek,)).appraise().verdict is Verdict.ACCEPTED


def test_a_list_is_checked_against_a_root_before_it_is_kept() -> None:
    root = read_certificate(GOOD.chain["root"])
    assert crl_problem(GOOD.revocation_list, root) == ""
    assert crl_problem(replace(GOOD, crl={"signed_by": ATTACKER.ark}).revocation_list, root) == (
        "its signature is not the root's"
    )
    renamed = GOOD.authorities.crl(ISSUED, issuer="ARK-Milan")
    assert crl_problem(renamed, root) == "its issuer is another name than the root's"
    endless = replace(GOOD, crl={"lifetime": None}).revocation_list
    assert crl_problem(endless, root) == "it does not say when the next one comes"
    otherwise = replace(GOOD, crl={"form": Pkcs1()}).revocation_list
    assert crl_problem(otherwise, root) == "not signed with RSA-PSS, SHA-384 and a salt of 48 bytes"
    assert crl_problem(b"junk", root).startswith("DER at offset 0: expected at most 2 content bytes")


# --- other certificates beside the chain -----------------------------------------------------------------------------

# Of other lines, kinds and machines, an attacker's under the same names, and no certificates at all.
STRAYS = (
    *(der for machine in EVERY_MACHINE if machine != GOOD for der in machine.certificates),
    *replace(GOOD, tcb=replace(LEVEL, snp=20)).certificates,
    *replace(GOOD, tcb=replace(LEVEL, snp=21), keys=ATTACKER).certificates,
    replace(GOOD, tcb=replace(LEVEL, snp=22), leaf={"add": (duplicate(SNP_SPL, b""),)}).chain["leaf"],
    GOOD.chain["leaf"][:-1],
    b"",
    b"\x30\x00",
    b"junk",
)
NO = replace(GOOD, signed_by=STRANGER)
OPEN = replace(GOOD, without=frozenset({"crl"}))


@settings(max_examples=40)
@given(
    strays=st.lists(st.integers(0, len(STRAYS) - 1), max_size=6),
    order=st.permutations(range(3)),
    cut=st.integers(0, 6),
)
@pytest.mark.parametrize("situation", [GOOD, NO, OPEN], ids=["accepted", "rejected", "undecided"])
def test_strays_and_order_change_no_verdict(
    situation: Situation, strays: list[int], order: list[int], cut: int
) -> None:
    mixed = replace(
        situation,
        without=situation.without | {"leaf", "intermediate", "root"},
        before=(*(STRAYS[i] for i in strays[:cut]), *(situation.certificates[i] for i in order)),
        after=tuple(STRAYS[i] for i in strays[cut:]),
    )
    appraisal, plain = mixed.appraise(), situation.appraise()
    assert appraisal.verdict is plain.verdict
    assert categories(plain) <= categories(appraisal)
    if situation is not NO:  # which chain that did not sign is examined does depend on the order
        assert (ids_of_no(appraisal), ids_of_open(appraisal)) == (ids_of_no(plain), ids_of_open(plain))


@settings(max_examples=40)
@given(strays=st.sets(st.integers(0, len(STRAYS) - 1), max_size=8))
def test_strays_alone_accept_nothing(strays: set[int]) -> None:
    alone = replace(GOOD, without=frozenset({"leaf", "intermediate", "root"}), before=tuple(STRAYS[i] for i in strays))
    assert alone.appraise().verdict is not Verdict.ACCEPTED


def test_a_signer_is_preferred_to_a_chain_that_holds_and_that_to_one_of_the_right_kind() -> None:
    report = AttestationReport.parse(GOOD.signed_report)
    other_chip = replace(GOOD, tcb=replace(LEVEL, snp=20)).chain["leaf"]
    chosen = choose_chain((other_chip, *GOOD.certificates), GOOD.signed_report, report, trust=TRUST, now=NOW)
    assert chosen.leaf is not None
    assert chosen.leaf.der == GOOD.chain["leaf"]
    assert choose_chain((), GOOD.signed_report, report, trust=TRUST, now=NOW) is NO_CHAIN
    vlek = Situation(key=KeyKind.VLEK).chain["leaf"]
    unsigned = replace(GOOD, signed_by=STRANGER).signed_report
    chosen = choose_chain((vlek, *GOOD.certificates), unsigned, AttestationReport.parse(unsigned), trust=TRUST, now=NOW)
    assert chosen.vek is not None
    assert chosen.vek.kind is KeyKind.VCEK


def test_a_chain_of_the_same_key_that_says_no_takes_nothing_from_one_that_says_yes() -> None:
    foreign = tuple(replace(GOOD, keys=attackers_keys(GOOD.product)).chain.values())
    expired = replace(GOOD, leaf={"not_after": NOW - timedelta(days=1)}).chain["leaf"]
    for other in (foreign, (expired,)):
        assert replace(GOOD, without=frozenset({"leaf"}), before=other).appraise().failed
        for beside in (replace(GOOD, before=other), replace(GOOD, after=other)):
            assert beside.appraise().verdict is Verdict.ACCEPTED


def test_a_certificate_supplied_twice_is_one_chain_and_costs_no_further_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checked = []
    monkeypatch.setattr("cvmproof.snp.chain.verify_p384", lambda *arguments: checked.append(arguments))
    report = AttestationReport.parse(GOOD.signed_report)
    again = tuple(bytes(bytearray(der)) for der in GOOD.certificates)
    chosen = choose_chain(GOOD.certificates + again, GOOD.signed_report, report, trust=TRUST, now=NOW)
    assert chosen.holds
    assert checked == []


def test_a_leaf_that_can_not_be_read_is_a_no_and_none_at_all_is_not() -> None:
    unreadable = replace(GOOD, without=frozenset({"leaf"}), before=(b"junk",)).appraise()
    assert ids_of_no(unreadable) == ["snp.vek.profile"]
    assert replace(GOOD, without=frozenset({"leaf"})).appraise().verdict is Verdict.UNDECIDED


def test_a_leaf_without_a_usable_key_is_passed_over_for_the_one_that_signed() -> None:
    keyless = replace(GOOD, leaf={"spki": ATTACKER.ask.spki}).chain["leaf"]
    assert replace(GOOD, before=(keyless,)).appraise().verdict is Verdict.ACCEPTED
    assert replace(GOOD, after=(keyless,)).appraise().verdict is Verdict.ACCEPTED
    assert_refused(replace(GOOD, without=frozenset({"leaf"}), before=(keyless,)), Category.CHAIN, "snp.vek.profile")


def test_a_reissued_intermediate_is_taken_by_what_it_signed_not_by_its_name() -> None:
    superseded = replace(GOOD, keys=ATTACKER).chain["intermediate"]
    assert replace(GOOD, before=(superseded,)).appraise().verdict is Verdict.ACCEPTED
    assert replace(GOOD, after=(superseded,)).appraise().verdict is Verdict.ACCEPTED


def test_an_intermediate_of_the_same_key_that_the_root_did_not_sign_is_passed_over() -> None:
    unsigned = replace(GOOD, intermediate={"signed_by": ATTACKER.ark}).chain["intermediate"]
    assert replace(GOOD, before=(unsigned,)).appraise().verdict is Verdict.ACCEPTED
    assert replace(GOOD, after=(unsigned,)).appraise().verdict is Verdict.ACCEPTED


def test_an_intermediate_that_has_only_the_common_name_is_refused_where_it_stands_alone() -> None:
    renamed = replace(GOOD, intermediate={"organization": "Adva^ced Micro Devices"}).chain["intermediate"]
    assert renamed != GOOD.chain["intermediate"]
    alone = replace(GOOD, without=frozenset({"intermediate"}), before=(renamed,))
    assert_refused(alone, Category.CHAIN)
    assert "snp.vek.signature" in ids_of_no(alone.appraise())
    assert replace(GOOD, before=(renamed,)).appraise().verdict is Verdict.ACCEPTED


# --- what is remembered ----------------------------------------------------------------------------------------------


def test_ac_091_a_failed_link_is_not_remembered_as_a_good_one_nor_the_reverse() -> None:
    intermediate = read_certificate(GOOD.chain["intermediate"])
    leaf = read_certificate(GOOD.chain["leaf"])
    forged = replace(leaf, signature=leaf.signature[:-1] + bytes([leaf.signature[-1] ^ 1]))
    for _ in range(2):
        with pytest.raises(InvalidSignature):
            verify_link(intermediate, forged)
        verify_link(intermediate, leaf)


def test_ac_091_a_case_is_judged_alike_before_and_after_its_forgery() -> None:
    forged = replace(GOOD, leaf={"signed_by": ATTACKER.ask})
    for _ in range(2):
        assert forged.appraise().verdict is Verdict.REJECTED
        assert GOOD.appraise().verdict is Verdict.ACCEPTED


def test_ac_091_after_an_acceptance_nothing_is_accepted_without_its_certificates() -> None:
    assert GOOD.appraise().verdict is Verdict.ACCEPTED
    again = replace(GOOD, without=frozenset({"leaf", "intermediate", "root", "crl"})).appraise()
    assert again.verdict is Verdict.UNDECIDED
    assert categories(again) == {Category.UNAVAILABLE}


def test_ac_091_a_revocation_list_is_verified_once_for_all_who_are_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    verified: list[bytes] = []

    def verify(spki: bytes, signature: bytes, message: bytes) -> None:
        verified.append(message)
        verify_pss_sha384(spki, signature, message)

    monkeypatch.setattr(chain_module, "verify_pss_sha384", verify)
    fresh = replace(GOOD, crl={"this_update": ISSUED + timedelta(minutes=7)})  # one that nobody has seen before
    assert fresh.appraise().verdict is Verdict.ACCEPTED
    assert verified.count(read_crl(fresh.revocation_list).tbs) == 1


def test_ac_091_a_revocation_list_is_remembered_for_the_root_it_was_examined_under() -> None:
    root, other = (read_certificate(AmdCa(GOOD.product, keys).ark) for keys in (None, ATTACKER))
    for _ in range(2):
        assert crl_problem(GOOD.revocation_list, root) == ""
        assert crl_problem(GOOD.revocation_list, other) == "its signature is not the root's"


def test_a_link_needs_the_issuers_name_and_amds_algorithm() -> None:
    intermediate, root = (read_certificate(GOOD.chain[name]) for name in ("intermediate", "root"))
    leaf = read_certificate(GOOD.chain["leaf"])
    with pytest.raises(Malformed, match=r"^its issuer is another name than the next certificate's subject$"):
        verify_link(root, leaf)
    with pytest.raises(Malformed, match=r"^not signed with RSA-PSS, SHA-384 and a salt of 48 bytes$"):
        verify_link(intermediate, replace(leaf, signature_algorithm=Pkcs1().algorithm))


def test_ac_091_everything_remembered_is_bounded() -> None:
    modules = [
        module for name, module in sys.modules.items() if name.partition(".")[0] in {"cvmproof", "cvmproof_formats"}
    ]
    remembered: dict[str, Any] = {
        f"{module.__name__}.{name}": value
        for module in modules
        for name, value in vars(module).items()
        if hasattr(value, "cache_info")
    }
    assert "cvmproof.snp.chain._link_problem" in remembered
    assert [name for name, function in remembered.items() if function.cache_info().maxsize is None] == []


def test_nothing_is_wrong_with_what_is_not_there() -> None:
    (alone,) = chains_of((GOOD.chain["leaf"],))
    assert (alone.intermediate, alone.root, alone.intermediate_for) == (None, None, None)
    assert (alone.root_product, alone.root_pinned_in) == (None, None)
    problems = alone.intermediate_problem, alone.root_problem, alone.root_signature_problem
    assert problems == (alone.leaf_signature_problem, alone.intermediate_signature_problem, "") == ("", "", "")
    assert alone.root_key_sha256 == b""


def test_only_what_looks_like_an_endorsement_key_starts_a_chain() -> None:
    assert chains_of((GOOD.chain["intermediate"], GOOD.chain["root"])) == ()
    assert len(chains_of(GOOD.certificates)) == 1
