"""The quote's signatures, the quoting enclave and the TDX module: each answer beside its refused twin."""

from dataclasses import replace

import pytest
from tests.verifier.snp.situation import ids_of_no
from tests.verifier.tdx.situation import (
    ATTACKER,
    ISSUED,
    REPORT_DATA,
    STRANGER,
    Situation,
    assert_accepted,
    assert_refused,
    check_of,
)

from cvmproof.appraisal import Verdict
from cvmproof.check import Outcome
from cvmproof.tdx import quote_answers
from cvmproof_formats.errors import Category
from cvmproof_formats.tdx.tcb_info import ModuleIdentity, TdxModule
from cvmproof_formats.tdx.tcb_status import TcbStatus
from cvmproof_simulator.psp import derive_key, spki_of
from cvmproof_simulator.tdx.collateral import simulated_tcb_info
from cvmproof_simulator.tdx.ecdsa import raw_key, sign_raw
from cvmproof_simulator.tdx.quoting_enclave import QE_ATTRIBUTES, QuoteChanges
from cvmproof_simulator.tdx.td import SoftwareModule

GOOD = Situation()
FIFTH = Situation(version=5)
EITHER = pytest.mark.parametrize("machine", [GOOD, FIFTH], ids=["version 4", "version 5"])
ZERO = bytes(32)


def quoting(machine: Situation, **changes: object) -> Situation:
    """The same machine with another quote."""
    changed: QuoteChanges = {**changes}  # type: ignore[typeddict-item]  # names of its fields
    return replace(machine, quote=changed)


# --- signatures: AC-035 -----------------------------------------------------------------------------------------------


@EITHER
def test_ac_035_a_quoting_enclave_that_the_platform_did_not_sign_is_refused(machine: Situation) -> None:
    for signer in (STRANGER, machine.platform.attestation_key, machine.authorities.key("platform"), ATTACKER.platform):
        assert_refused(quoting(machine, qe_signed_by=signer), Category.SIGNATURE, "tdx.qe.signature")
    for signature in (bytes(64), b"\xff" * 64, bytes(63) + b"\1"):
        assert_refused(quoting(machine, qe_signature=signature), Category.SIGNATURE, "tdx.qe.signature")


@EITHER
def test_ac_035_an_enclave_that_vouches_for_another_key_is_refused(machine: Situation) -> None:
    own = machine.platform.attestation_key
    vouched = GOOD.signed_quote.find(raw_key(own))
    assert vouched > 0
    for report_data in (bytes(64), b"\1" * 64):
        assert_refused(quoting(machine, qe_report_data=report_data), Category.SIGNATURE, "tdx.qe.binding")


@EITHER
@pytest.mark.parametrize("index", [0, 31, 32, 33, 63])
def test_ac_035_all_64_bytes_of_the_enclaves_report_data_count(machine: Situation, index: int) -> None:
    expected = check_of(machine, "tdx.qe.binding")
    right = bytes.fromhex(expected.got)
    assert right[32:] == ZERO
    changed = bytes(value ^ (1 if i == index else 0) for i, value in enumerate(right))
    assert_refused(quoting(machine, qe_report_data=changed), Category.SIGNATURE, "tdx.qe.binding")


def test_ac_035_the_authentication_data_is_part_of_what_is_vouched_for() -> None:
    assert_accepted(quoting(GOOD, authentication_data=b""))
    assert_accepted(quoting(GOOD, authentication_data=b"other"))
    right = bytes.fromhex(check_of(GOOD, "tdx.qe.binding").got)
    other = quoting(GOOD, authentication_data=b"other", qe_report_data=right)
    assert_refused(other, Category.SIGNATURE, "tdx.qe.binding")


@EITHER
def test_ac_035_a_quote_that_another_key_signed_is_refused(machine: Situation) -> None:
    for signer in (STRANGER, machine.platform.pck_key):
        assert_refused(quoting(machine, signed_by=signer), Category.SIGNATURE, "tdx.signature.quote")
    assert_refused(quoting(machine, signature=bytes(64)), Category.SIGNATURE, "tdx.signature.quote")
    another = quoting(machine, attestation_key=raw_key(STRANGER))
    assert_refused(another, Category.SIGNATURE, "tdx.signature.quote")
    vouched_and_signed = quoting(machine, attestation_key=raw_key(STRANGER), signed_by=STRANGER)
    assert_accepted(vouched_and_signed)  # the enclave may vouch for whichever key it makes


def test_ac_035_a_key_that_is_no_point_of_the_curve_signs_nothing() -> None:
    no_point = quoting(GOOD, attestation_key=bytes(64))
    assert_refused(no_point, Category.SIGNATURE, "tdx.signature.quote")
    assert "public key" in check_of(no_point, "tdx.signature.quote").got


def test_ac_061_a_quote_for_other_report_data_is_another_quote() -> None:
    signed = GOOD.signed_quote
    start = signed.find(REPORT_DATA)
    assert start > 0
    other = replace(GOOD, report_data=REPORT_DATA[::-1])
    assert ids_of_no(other.appraise()) == ["freshness.report_data"]
    kept = replace(other, quote={"signature": signed[start + 64 + 4 : start + 64 + 4 + 64]})
    assert ids_of_no(kept.appraise()) == ["tdx.signature.quote", "freshness.report_data"]


def test_ac_009_a_second_valid_signature_makes_no_second_quote() -> None:
    order = int("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16)  # SEC 2, secp256r1, n
    first = GOOD.signed_quote
    start = first.find(REPORT_DATA) + 64 + 4
    r, s = first[start : start + 32], int.from_bytes(first[start + 32 : start + 64], "big")
    second = replace(GOOD, quote={"signature": r + (order - s).to_bytes(32, "big")})
    assert second.signed_quote != first
    assert_accepted(second)
    stale = replace(second, freshness=FIFTH.freshness, report_data=bytes(64))
    assert "freshness.report_data" in ids_of_no(stale.appraise())


# --- the quoting enclave: AC-036 --------------------------------------------------------------------------------------


@pytest.mark.parametrize("bit", range(64))
def test_ac_036_each_attribute_under_the_mask_is_intels(bit: int) -> None:
    flags = int.from_bytes(QE_ATTRIBUTES[:8], "little") ^ 1 << bit
    changed = quoting(GOOD, qe_attributes=flags.to_bytes(8, "little") + QE_ATTRIBUTES[8:])
    if bit == 2:  # MODE64BIT is outside of the mask
        assert_accepted(changed)
    elif bit == 1:
        assert_refused(changed, Category.DEBUG, "tdx.qe.debug")
    else:
        assert_refused(changed, Category.COLLATERAL_MISMATCH, "tdx.qe.attributes")


def test_ac_036_debugging_is_refused_whatever_the_identity_says_of_it() -> None:
    debug = QE_ATTRIBUTES[0] | 2
    told = (
        {"attributes": bytes((0x13,)) + bytes(15)},
        {"attributes_mask": bytes(16)},
    )
    for identity in told:
        under = replace(
            GOOD,
            quote={"qe_attributes": bytes((debug,)) + QE_ATTRIBUTES[1:]},
            qe_identity=identity,  # type: ignore[arg-type]  # names of its fields
        )
        assert_refused(under, Category.DEBUG, "tdx.qe.debug")
    # And an identity that wants it makes nobody do it.
    assert_accepted(replace(GOOD, qe_identity={"attributes": bytes((0x13,)) + bytes(15)}))


def test_ac_036_extended_features_of_the_enclave_count_where_the_mask_says_so() -> None:
    other = QE_ATTRIBUTES[:8] + bytes((0xE6,)) + bytes(7)
    assert_accepted(quoting(GOOD, qe_attributes=other))
    whole = replace(
        quoting(GOOD, qe_attributes=other),
        qe_identity={"attributes": QE_ATTRIBUTES, "attributes_mask": b"\xfd" + b"\xff" * 15},
    )
    assert_refused(whole, Category.COLLATERAL_MISMATCH, "tdx.qe.attributes")
    assert_accepted(replace(whole, quote={}))


@pytest.mark.parametrize("index", range(4))
def test_ac_036_miscselect_is_intels_under_its_mask(index: int) -> None:
    changed = bytes(1 if i == index else 0 for i in range(4))
    situation = quoting(GOOD, qe_miscselect=changed)
    assert_refused(situation, Category.COLLATERAL_MISMATCH, "tdx.qe.miscselect")
    assert_accepted(
        replace(situation, qe_identity={"miscselect_mask": bytes(0 if i == index else 255 for i in range(4))})
    )
    assert_accepted(replace(situation, qe_identity={"miscselect": changed}))


@pytest.mark.parametrize("bit", [0, 100, 255])
def test_ac_036_an_enclave_that_somebody_else_signed_is_refused(bit: int) -> None:
    signer = (int.from_bytes(GOOD.intel.qe_identity.mrsigner, "big") ^ 1 << bit).to_bytes(32, "big")
    assert_refused(quoting(GOOD, qe_mr_signer=signer), Category.COLLATERAL_MISMATCH, "tdx.qe.mrsigner")
    assert_accepted(replace(quoting(GOOD, qe_mr_signer=signer), qe_identity={"mrsigner": signer}))


@pytest.mark.parametrize("product", [0, 1, 3, 0xFFFF])
def test_ac_036_another_product_of_the_same_signer_is_no_quoting_enclave(product: int) -> None:
    assert_refused(quoting(GOOD, qe_isv_prod_id=product), Category.COLLATERAL_MISMATCH, "tdx.qe.product")


def test_ac_036_an_enclave_without_a_level_is_refused_and_an_old_one_is_rated() -> None:
    assert_refused(replace(GOOD, machine={"qe_svn": 2}), Category.TCB, "tdx.tcb.level")
    assert_refused(replace(GOOD, machine={"qe_svn": 3}), Category.TCB, "tdx.tcb.revoked")
    assert_accepted(replace(GOOD, machine={"qe_svn": 5}))


# --- the TDX module: AC-038 -------------------------------------------------------------------------------------------

OTHER = TdxModule(mrsigner=b"\1" * 48, attributes=bytes(8), attributes_mask=b"\xff" * 8)
INFO = simulated_tcb_info(ISSUED)


def of_version(version: int, module: TdxModule) -> tuple[ModuleIdentity, ...]:
    """The identities, one of them another's."""
    return tuple(replace(one, module=module) if one.version == version else one for one in INFO.module_identities)


@EITHER
@pytest.mark.parametrize("version", [1, 3])
def test_ac_038_a_module_is_signed_by_whom_its_own_identity_names(machine: Situation, version: int) -> None:
    module = SoftwareModule.rated(TcbStatus.UP_TO_DATE, version=version)
    signed = replace(machine, module=module, quote={"mr_signer_seam": OTHER.mrsigner})
    assert_refused(signed, Category.COLLATERAL_MISMATCH, "tdx.module.signer")
    assert_accepted(replace(signed, tcb_info={"module_identities": of_version(version, OTHER)}))
    others = replace(signed, tcb_info={"module_identities": of_version(4 - version, OTHER), "module": OTHER})
    assert_refused(others, Category.COLLATERAL_MISMATCH, "tdx.module.signer")


def test_ac_038_a_module_without_a_version_is_signed_by_whom_tcb_info_names_for_those() -> None:
    unversioned = Situation(module=SoftwareModule(version=0, svn=5), quote={"mr_signer_seam": OTHER.mrsigner})
    assert_refused(unversioned, Category.COLLATERAL_MISMATCH, "tdx.module.signer")
    assert_accepted(replace(unversioned, tcb_info={"module": OTHER}))
    assert_accepted(Situation(module=SoftwareModule(version=0, svn=5), tcb_info={"module_identities": ()}))


@EITHER
@pytest.mark.parametrize("bit", [0, 31, 32, 63])
def test_ac_038_a_module_has_no_attributes_whatever_tcb_info_says(machine: Situation, bit: int) -> None:
    debug = replace(machine, quote={"seam_attributes": 1 << bit})
    assert_refused(debug, Category.COLLATERAL_MISMATCH, "tdx.module.attributes")
    allowed = replace(OTHER, mrsigner=bytes(48), attributes=(1 << bit).to_bytes(8, "little"))
    assert_refused(
        replace(debug, tcb_info={"module_identities": of_version(1, allowed)}),
        Category.COLLATERAL_MISMATCH,
        "tdx.module.attributes",
    )
    wanted = replace(machine, tcb_info={"module_identities": of_version(1, allowed)})
    assert_refused(wanted, Category.COLLATERAL_MISMATCH, "tdx.module.attributes")


@pytest.mark.parametrize("version", [2, 0x0A, 0xFF])
def test_ac_038_a_module_of_which_tcb_info_does_not_speak_is_refused(version: int) -> None:
    appraisal = Situation(module=SoftwareModule(version=version)).appraise()
    assert {"tdx.module.identity", "tdx.tcb.level"} == set(ids_of_no(appraisal))
    updated = replace(FIFTH, launched_by=SoftwareModule(), module=SoftwareModule(version=version)).appraise()
    assert {"tdx.module.identity", "tdx.tcb.level"} == set(ids_of_no(updated))
    (level,) = (check for check in updated.checks if check.id == "tdx.tcb.level")
    assert level.got.startswith("none for the TDX module TDX_")
    assert level.got.endswith(" now")


def test_a_platform_key_of_another_kind_vouches_for_no_enclave() -> None:
    other = spki_of(derive_key(b"a P-384 key"))
    check = check_of(replace(GOOD, pck={"spki": other}), "tdx.qe.signature")
    assert check.outcome is Outcome.UNDECIDED
    assert check.expected == "the platform key's signature"
    assert check.got == "none at hand: a P-256 key in the PCK certificate"


def test_ac_038_without_identities_a_module_with_a_version_has_none() -> None:
    bare = replace(GOOD, tcb_info={"module_identities": ()})
    appraisal = bare.appraise()
    assert set(ids_of_no(appraisal)) == {"tdx.module.identity", "tdx.tcb.level"}
    assert check_of(bare, "tdx.module.identity").expected == "one of none"
    assert check_of(bare, "tdx.module.identity").got == "TDX_01"
    known = check_of(GOOD, "tdx.module.identity")
    assert (known.expected, known.got) == ("an identity of this TDX module", "there")


# --- what is remembered: AC-091 ---------------------------------------------------------------------------------------


def test_ac_091_an_enclaves_signature_is_remembered_for_one_platform_and_one_report() -> None:
    machines = {name: replace(GOOD, machine={"secret": name}) for name in (b"one", b"other")}
    for _ in range(2):
        for machine in machines.values():
            assert_accepted(machine)
            other = next(one for one in machines.values() if one is not machine)
            borrowed = quoting(machine, qe_signed_by=other.platform.pck_key)
            assert_refused(borrowed, Category.SIGNATURE, "tdx.qe.signature")
            # The other's enclave, report, signature and key, under this one's chain.
            copied = replace(other, quote={"pck_chain": machine.platform.pck_chain()})
            assert_refused(copied, Category.SIGNATURE, "tdx.qe.signature")
    assert quote_answers._qe_signature_problem.cache_parameters()["maxsize"] == 1024


def test_ac_091_each_quote_is_verified_though_its_enclave_is_known() -> None:
    assert_accepted(GOOD)
    forged = sign_raw(derive_key(b"forger", curve="P-256"), b"")
    assert GOOD.appraise().verdict is Verdict.ACCEPTED
    for _ in range(2):
        assert_refused(quoting(GOOD, signature=forged), Category.SIGNATURE, "tdx.signature.quote")
