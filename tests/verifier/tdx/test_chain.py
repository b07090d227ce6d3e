"""Chains as Intel makes them, and as attackers do; revocation; and what is remembered of them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.verifier.snp.situation import categories, ids_of_no
from tests.verifier.tdx.situation import (
    ATTACKER,
    ISSUED,
    NOW,
    STRANGER,
    Situation,
    assert_accepted,
    assert_refused,
    later,
)

from cvmproof.appraisal import Verdict
from cvmproof.collateral.collateral import Collateral
from cvmproof.tdx import chain as chain_module
from cvmproof.tdx.chain import choose_signer, examine_pck_chain
from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.tdx.hierarchy import Ca
from cvmproof_formats.tdx.pck import SgxType
from cvmproof_formats.x509 import KEY_USAGE, SUBJECT_KEY_IDENTIFIER, Extension, KeyUsage, read_certificate
from cvmproof_simulator.keys.intel import checked_in_intel_keys
from cvmproof_simulator.psp import derive_key, spki_of
from cvmproof_simulator.tdx.ca import CertificateChanges, IntelCa
from cvmproof_simulator.tdx.platform import chain
from cvmproof_simulator.tdx.quoting_enclave import QuoteChanges

GOOD = Situation()
PROCESSOR = Situation(ca=Ca.PROCESSOR)
every_ca = pytest.mark.parametrize("machine", [GOOD, PROCESSOR], ids=list(Ca))
SECOND = timedelta(seconds=1)


def carrying(*certificates: bytes) -> Situation:
    """A quote that carries this chain."""
    changes: QuoteChanges = {"pck_chain": chain(*certificates)}
    return replace(GOOD, quote=changes)


def refusal(situation: Situation) -> set[Category]:
    """The categories of the no; empty if it was none."""
    try:
        appraisal = situation.appraise()
    except Malformed as error:
        return {error.category}
    return categories(appraisal) if appraisal.verdict is Verdict.REJECTED else set()


# --- the shape of a chain ---------------------------------------------------------------------------------------------


@every_ca
@pytest.mark.parametrize("version", [4, 5])
def test_a_quote_of_either_ca_and_either_version_is_accepted(machine: Situation, version: int) -> None:
    assert_accepted(replace(machine, version=version))


@pytest.mark.parametrize("sgx_type", SgxType)
def test_however_a_platform_protects_enclaves_it_is_accepted(sgx_type: SgxType) -> None:
    assert_accepted(replace(GOOD, machine={"sgx_type": sgx_type}))


@pytest.mark.parametrize(
    "order", [(0,), (0, 1), (0, 2), (1, 2), (2, 1, 0), (0, 2, 1), (1, 0, 2), (0, 0, 1, 2), (0, 1, 2, 2), (0, 1, 1), ()]
)
def test_ac_054_a_chain_is_leaf_ca_and_root_and_nothing_else(order: tuple[int, ...]) -> None:
    certificates = GOOD.certificates
    got = " in this order, got others" if len(order) == 3 else f", got {len(order)}"
    words = f"^PCK chain: expected leaf, CA and root{got}$" if order else "expected"
    with pytest.raises(Malformed, match=words) as caught:
        carrying(*(certificates[i] for i in order)).appraise()
    assert caught.value.category is Category.CHAIN or not order


def test_ac_054_a_chain_whose_root_was_swapped_for_anothers_is_refused() -> None:
    leaf, authority, _ = GOOD.certificates
    appraisal = carrying(leaf, authority, IntelCa(ATTACKER).root).appraise()
    assert {"tdx.chain.root", "tdx.chain.intermediate_signature"} <= set(ids_of_no(appraisal))
    assert Category.CHAIN in categories(appraisal)


def test_a_chain_of_the_same_names_under_other_keys_is_refused_by_its_root_alone() -> None:
    for ca in Ca:
        assert_refused(Situation(ca=ca, keys=ATTACKER), Category.CHAIN, "tdx.chain.root")


def test_an_attackers_root_below_the_names_of_intels_is_refused_whoever_signed_the_collateral() -> None:
    forged = replace(GOOD, keys=ATTACKER)
    mixed = replace(GOOD, quote={"pck_chain": forged.platform.pck_chain()}, after=forged.collateral).appraise()
    assert mixed.verdict is Verdict.REJECTED
    assert "tdx.chain.root" in ids_of_no(mixed)


# --- role confusion: AC-055 -------------------------------------------------------------------------------------------


def role_confusions() -> dict[str, Situation]:
    """One authority's certificate, or its key, in another's place."""
    ca = GOOD.authorities
    signer_as_leaf = (ca.tcb_signing, ca.platform, ca.root)
    return {
        "the TCB signer signs a PCK certificate": replace(GOOD, pck={"signed_by": ca.key("tcb_signing")}),
        "the root signs a PCK certificate": replace(GOOD, pck={"signed_by": ca.key("root")}),
        "the other CA signs a PCK certificate": replace(GOOD, pck={"signed_by": ca.key("processor")}),
        "a PCK CA signs the TCB signer": replace(GOOD, signer={"signed_by": ca.key("platform")}),
        "a PCK CA signs the TCB info": replace(GOOD, tcb_info_signed_by=ca.key("platform")),
        "the root signs the TCB info": replace(GOOD, tcb_info_signed_by=ca.key("root")),
        "the platform's key signs the TCB info": replace(GOOD, tcb_info_signed_by=GOOD.platform.pck_key),
        "the platform's key signs the QE identity": replace(GOOD, qe_identity_signed_by=GOOD.platform.pck_key),
        "the TCB signer signs the root's list": replace(GOOD, root_crl={"signed_by": ca.key("tcb_signing")}),
        "the root signs the CA's list": replace(GOOD, pck_crl={"signed_by": ca.key("root")}),
        "the TCB signer is the platform": replace(
            GOOD,
            signer={"issuer": "Intel SGX PCK Platform CA", "signed_by": ca.key("platform")},
            quote={"qe_signed_by": ca.key("tcb_signing"), "pck_chain": chain(*signer_as_leaf)},
        ),
        "a PCK certificate is named as the signer": replace(
            GOOD,
            pck={"common_name": "Intel SGX TCB Signing"},
            without=frozenset({"signer"}),
            after=Collateral(certificates=(GOOD.platform.pck(common_name="Intel SGX TCB Signing"),)),
            tcb_info_signed_by=GOOD.platform.pck_key,
            qe_identity_signed_by=GOOD.platform.pck_key,
        ),
    }


@pytest.mark.parametrize("name", role_confusions())
def test_ac_055_one_authority_does_not_stand_in_for_another(name: str) -> None:
    assert refusal(role_confusions()[name]) & {Category.CHAIN, Category.SIGNATURE}


# --- dates ------------------------------------------------------------------------------------------------------------

DATED: dict[str, Callable[[CertificateChanges], Situation]] = {
    "pck": lambda dates: replace(GOOD, pck=dates),
    "authority": lambda dates: replace(GOOD, authority=dates),
    "root": lambda dates: replace(GOOD, root=dates),
    "signer": lambda dates: replace(GOOD, signer=dates),
}


@pytest.mark.parametrize("of", DATED)
@pytest.mark.parametrize(("start", "end", "valid"), [(0, 0, True), (-1, -1, False), (1, 1, False), (-9, 0, True)])
def test_ac_049_every_certificate_is_valid_from_its_first_to_its_last_second(
    of: str,
    start: int,
    end: int,
    valid: bool,
) -> None:
    situation = DATED[of]({"not_before": NOW + start * SECOND, "not_after": NOW + end * SECOND})
    question = "tdx.signer.validity" if of == "signer" else "tdx.chain.validity"
    if valid:
        assert_accepted(situation)
    else:
        assert_refused(situation, Category.EXPIRED, question)


# --- revocation: AC-042 -----------------------------------------------------------------------------------------------


def revoking(machine: Situation, of: str) -> Situation:
    """One certificate of the chain, or the signer's, in the list of who issued it."""
    leaf, authority, root = (read_certificate(der).serial for der in machine.certificates)
    serial = {"leaf": leaf, "authority": authority, "root": root, "signer": machine.authorities.serial("tcb_signing")}
    if of == "leaf":
        return replace(machine, pck_crl={"revoked": (1, serial[of], 2)})
    return replace(machine, root_crl={"revoked": (1, serial[of], 2)})


@every_ca
@pytest.mark.parametrize("of", ["leaf", "authority", "root", "signer"])
def test_ac_042_whatever_intel_revoked_is_refused(machine: Situation, of: str) -> None:
    for revocation in ("required", "if-available"):
        revoked = replace(revoking(machine, of), revocation=revocation)
        assert_refused(revoked, Category.REVOKED, "tdx.crl.revoked")
    other = replace(machine, machine={"secret": b"another"}).platform.pck_serial
    assert_accepted(replace(machine, pck_crl={"revoked": (other,)}, root_crl={"revoked": (other,)}))


@pytest.mark.parametrize("of", ["leaf", "authority", "signer"])
def test_ac_042_any_authentic_list_that_names_it_refuses_even_an_old_one(of: str) -> None:
    old = revoking(GOOD, of)
    dated = replace(
        old,
        root_crl={**old.root_crl, "this_update": ISSUED - timedelta(days=900)},
        pck_crl={**old.pck_crl, "this_update": ISSUED - timedelta(days=900)},
    )
    lists = Collateral(intel_crls=dated.collateral.intel_crls)
    for beside in (replace(GOOD, before=lists), replace(GOOD, after=lists)):
        assert_refused(beside, Category.REVOKED, "tdx.crl.revoked")


def test_ac_042_an_entry_in_another_authoritys_list_revokes_nothing() -> None:
    leaf = GOOD.platform.pck_serial
    assert_accepted(replace(GOOD, root_crl={"revoked": (leaf,)}))
    assert_accepted(replace(GOOD, pck_crl={"revoked": (GOOD.authorities.serial("platform"),)}))
    other = GOOD.authorities.pck_crl(Ca.PROCESSOR, ISSUED, revoked=(leaf,))
    assert_accepted(replace(GOOD, after=Collateral(intel_crls=(other,))))


def test_a_forged_list_beside_a_good_one_revokes_nothing() -> None:
    forged = replace(GOOD, keys=ATTACKER, pck_crl={"revoked": (GOOD.platform.pck_serial,)}).collateral.intel_crls
    for strays in (forged, (b"junk",), (b"",)):
        assert_accepted(replace(GOOD, before=Collateral(intel_crls=strays)))
        assert_accepted(replace(GOOD, after=Collateral(intel_crls=strays)))


# --- the signer of Intel's JSON ---------------------------------------------------------------------------------------


def signers(*changes: CertificateChanges) -> tuple[bytes, ...]:
    """Certificates of one key, as Intel has issued two that overlap."""
    return tuple(IntelCa().with_tcb_signing(**change).tcb_signing for change in changes)


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_certificates_of_the_signing_key_the_one_that_holds_now_counts(turned: bool) -> None:
    old, new, coming = signers(
        {"not_after": later(days=-1)}, {}, {"not_before": later(days=1), "not_after": later(days=9)}
    )
    supplied = (coming, old, new)[:: -1 if turned else 1]
    assert_accepted(replace(GOOD, without=frozenset({"signer"}), after=Collateral(certificates=supplied)))
    assert_refused(
        replace(GOOD, without=frozenset({"signer"}), after=Collateral(certificates=(old, coming))),
        Category.EXPIRED,
        "tdx.signer.validity",
    )


def test_a_signers_certificate_holds_from_its_first_to_its_last_second() -> None:
    root = read_certificate(IntelCa().root)
    over, first, last = signers({"not_after": later(days=-1)}, {"not_before": NOW}, {"not_after": NOW})
    for good in (first, last):
        chosen = choose_signer((over, good), root, NOW)
        assert chosen is not None
        assert chosen.certificate == read_certificate(good)


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_signers_with_keys_of_their_own_the_one_that_signed_counts(turned: bool) -> None:
    good = GOOD.authorities
    another = IntelCa(replace(checked_in_intel_keys(), tcb_signing=STRANGER)).tcb_signing
    supplied = (another, good.tcb_signing)[:: -1 if turned else 1]
    assert_accepted(replace(GOOD, without=frozenset({"signer"}), after=Collateral(certificates=supplied)))
    alone = replace(GOOD, without=frozenset({"signer"}), after=Collateral(certificates=(another,))).appraise()
    assert ids_of_no(alone) == ["tdx.tcb_info.signature", "tdx.qe_identity.signature"]


@pytest.mark.parametrize("turned", [False, True])
def test_a_signer_in_profile_and_of_this_root_is_chosen_whatever_else_is_named_so(turned: bool) -> None:
    root = read_certificate(IntelCa().root)
    odd, good = signers({"key_usage": KeyUsage(digital_signature=True)}, {})
    strangers = IntelCa(ATTACKER).tcb_signing
    supplied = (odd, strangers, b"junk", good, IntelCa().root)[:: -1 if turned else 1]
    chosen = choose_signer(supplied, root, NOW)
    assert chosen is not None
    assert chosen.certificate == read_certificate(good)
    assert (chosen.problem, chosen.signature_problem) == ("", "")
    # In profile comes before signed, and signed before valid: each is refused by its own question.
    assert choose_signer((odd, strangers), root, NOW).certificate == read_certificate(strangers)  # type: ignore[union-attr]  # one is chosen
    assert choose_signer((IntelCa().root, b"junk"), root, NOW) is None


# --- what is remembered: AC-091 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("of", DATED)
def test_ac_091_what_was_accepted_is_refused_when_its_certificates_have_ended(of: str) -> None:
    situation = DATED[of]({"not_before": ISSUED, "not_after": NOW})
    assert_accepted(situation)
    question = "tdx.signer.validity" if of == "signer" else "tdx.chain.validity"
    assert_refused(replace(situation, now=NOW + SECOND), Category.EXPIRED, question)
    assert_accepted(situation)


@pytest.mark.parametrize(
    ("question", "forged"),
    [
        ("tdx.pck.signature", replace(GOOD, pck={"signed_by": STRANGER})),
        ("tdx.chain.intermediate_signature", replace(GOOD, authority={"signed_by": STRANGER})),
        ("tdx.chain.root_signature", replace(GOOD, root={"signed_by": STRANGER})),
        ("tdx.signer.signature", replace(GOOD, signer={"signed_by": STRANGER})),
        ("tdx.tcb_info.signature", replace(GOOD, tcb_info_signed_by=STRANGER)),
        ("tdx.qe_identity.signature", replace(GOOD, qe_identity_signed_by=STRANGER)),
        ("tdx.root_crl.signature", replace(GOOD, root_crl={"signed_by": STRANGER})),
        ("tdx.pck_crl.signature", replace(GOOD, pck_crl={"signed_by": STRANGER})),
        ("tdx.qe.signature", replace(GOOD, quote={"qe_signed_by": STRANGER})),
        ("tdx.signature.quote", replace(GOOD, quote={"signed_by": STRANGER})),
    ],
)
def test_ac_091_a_case_is_judged_alike_before_and_after_its_forgery(question: str, forged: Situation) -> None:
    assert_accepted(GOOD)
    assert ids_of_no(forged.appraise()) == [question]
    assert_accepted(GOOD)
    assert ids_of_no(forged.appraise()) == [question]


def test_ac_091_after_an_acceptance_nothing_is_accepted_without_its_collateral() -> None:
    assert_accepted(GOOD)
    for missing in ("signer", "root_crl", "pck_crl", "tcb_info", "qe_identity"):
        assert replace(GOOD, without=frozenset({missing})).appraise().verdict is Verdict.UNDECIDED


def test_ac_091_collateral_that_was_accepted_under_one_signer_is_not_under_another() -> None:
    assert_accepted(GOOD)
    keys = replace(checked_in_intel_keys(), tcb_signing=derive_key(b"the next TCB signing", curve="P-256"))
    under_another = replace(
        GOOD,
        without=frozenset({"signer"}),
        after=Collateral(certificates=(IntelCa(keys).tcb_signing,)),
    )
    assert_refused(under_another, Category.SIGNATURE, "tdx.tcb_info.signature", "tdx.qe_identity.signature")
    assert_accepted(GOOD)


def test_ac_091_a_chain_is_remembered_by_its_bytes_and_a_quote_is_not() -> None:
    data = GOOD.platform.pck_chain()
    assert examine_pck_chain(data) is examine_pck_chain(bytes(bytearray(data)))
    other = replace(GOOD, machine={"secret": b"another"}).platform.pck_chain()
    assert examine_pck_chain(other).identity != examine_pck_chain(data).identity
    replayed = replace(GOOD, report_data=bytes(64), quote={"signature": GOOD.signed_quote[636:700]})
    appraisal = replayed.appraise()
    assert "tdx.signature.quote" in ids_of_no(appraisal)


def test_ac_091_everything_remembered_is_bounded() -> None:
    remembering = [getattr(chain_module, name) for name in ("examine_pck_chain", "signers_of", "read_certificate_once")]
    assert all(0 < function.cache_parameters()["maxsize"] <= 1024 for function in remembering)


def test_what_a_leaf_can_not_say_is_none_and_refused() -> None:
    nothing = replace(GOOD, pck={"drop": ("1.2.840.113741.1.13.1",)})
    examined = examine_pck_chain(nothing.platform.pck_chain(**nothing.pck))
    assert (examined.identity, examined.leaf_problem != "") == (None, True)
    assert ids_of_no(nothing.appraise()) == ["tdx.pck.profile"]
    off_curve = replace(GOOD, pck={"spki": spki_of(derive_key(b"larger", curve="P-384"))})
    assert examine_pck_chain(off_curve.platform.pck_chain(**off_curve.pck)).key is None
    appraisal = off_curve.appraise()
    assert "tdx.pck.profile" in ids_of_no(appraisal)
    assert appraisal.verdict is Verdict.REJECTED


@pytest.mark.parametrize(
    "changes",
    [
        {"drop": (KEY_USAGE,)},
        {"critical": (SUBJECT_KEY_IDENTIFIER,)},
        {"add": (Extension(oid="1.2.3", value=b"\5\0"),)},
        {"version": 1},
        {"ca": True},
        {"common_name": "Intel SGX PCK"},
        {"algorithm": bytes.fromhex("300a06082a8648ce3d040303")},
    ],
)
def test_a_leaf_outside_intels_profile_is_refused(changes: CertificateChanges) -> None:
    found = refusal(replace(GOOD, pck=changes))
    assert found
    assert found <= {Category.CHAIN, Category.MALFORMED}
