"""Intel's objects in the store: only verified ones enter, and none takes a newer one's place."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from cvmproof.collateral.collateral import Collateral
from cvmproof.collateral.intel_keys import (
    Authority,
    EvaluationNumbersKey,
    IntelCertificatesKey,
    IntelCrlKey,
    IntelKey,
    QeIdentityKey,
    TcbInfoKey,
    Update,
)
from cvmproof.collateral.store import CRL_REFRESH, CollateralStore, State
from cvmproof.trust import TrustRoots
from cvmproof_formats import der
from cvmproof_formats.errors import Category, CollateralError
from cvmproof_formats.pem import read_pem, write_pem
from cvmproof_formats.tdx.signed_json import Signed, read_signed
from cvmproof_formats.x509 import Extension, KeyUsage
from cvmproof_simulator.keys.intel import generate_intel_keys
from cvmproof_simulator.tdx.ca import IntelCa
from cvmproof_simulator.tdx.collateral import (
    Collateral as Knowledge,
)
from cvmproof_simulator.tdx.collateral import (
    evaluation_numbers_response,
    simulated_evaluation_numbers,
)
from cvmproof_simulator.tdx.platform import SoftwarePlatform

DAY = timedelta(days=1)
ATTACKER = IntelCa(generate_intel_keys())


def refuse(store: CollateralStore, key: IntelKey, data: bytes, now: datetime, category: Category, why: str) -> None:
    before = store.load((key,), now)
    with pytest.raises(CollateralError, match=why) as caught:
        store.put(key, data, now)
    assert caught.value.category is category
    assert store.load((key,), now) == before


def pem(*ders: bytes) -> bytes:
    return b"".join(map(write_pem, ders))


def test_what_was_put_is_loaded_to_the_byte(
    intel_store: CollateralStore, knowledge: Knowledge, intels: tuple[IntelKey, ...], now: datetime
) -> None:
    assert intel_store.load(intels, now) == Collateral(
        certificates=(knowledge.authorities.tcb_signing,),
        intel_crls=(knowledge.root_crl, knowledge.pck_crl),
        tcb_infos=(read_signed(knowledge.tcb_info_response, "tcbInfo"),),
        qe_identities=(read_signed(knowledge.qe_identity_response, "enclaveIdentity"),),
    )
    assert {found.state for found in intel_store.show(now)} == {State.FRESH}
    assert len(intel_store.show(now)) == 6


def test_only_what_is_wanted_is_loaded(
    intel_store: CollateralStore, tcb_info: TcbInfoKey, qe_identity: QeIdentityKey, now: datetime
) -> None:
    assert intel_store.load((), now) == Collateral()
    assert intel_store.load((TcbInfoKey(fmspc=bytes(6)),), now) == Collateral()
    only = intel_store.load((qe_identity,), now)
    assert (only.tcb_infos, len(only.qe_identities)) == ((), 1)


def test_everything_holds_until_its_next_update(
    intel_store: CollateralStore, knowledge: Knowledge, intels: tuple[IntelKey, ...], now: datetime
) -> None:
    ends = {found.key: found.valid_until for found in intel_store.show(now)}
    assert ends[intels[3]] == knowledge.tcb_info.next_update
    assert ends[intels[4]] == knowledge.qe_identity.next_update
    assert ends[intels[2]] == knowledge.pck_crl_issued + timedelta(days=30)
    assert ends[intels[1]] == knowledge.root_crl_issued + timedelta(days=365)


@pytest.mark.parametrize("second", [0, 1])
def test_ac_049_the_next_update_is_the_last_fresh_moment(
    second: int, intel_store: CollateralStore, knowledge: Knowledge, tcb_info: TcbInfoKey
) -> None:
    at = knowledge.tcb_info.next_update + timedelta(seconds=second)
    found = intel_store.look(tcb_info, at)
    assert found is not None
    assert found.state is (State.STALE if second else State.FRESH)
    assert len(intel_store.load((tcb_info,), at).tcb_infos) == 1  # for the appraisal to judge, which knows of graces


def test_ac_049_before_its_date_of_issue_an_object_is_not_taken(
    intel_store: CollateralStore, tcb_info: TcbInfoKey, qe_identity: QeIdentityKey, now: datetime
) -> None:
    begin = now + timedelta(seconds=1)
    later = Knowledge.of(SoftwarePlatform(), begin)
    both: tuple[tuple[IntelKey, bytes], ...] = (
        (tcb_info, later.tcb_info_response),
        (qe_identity, later.qe_identity_response),
    )
    for key, data in both:
        refuse(intel_store, key, data, now, Category.EXPIRED, "begins")
        intel_store.put(key, data, begin)


@pytest.mark.parametrize("age", [CRL_REFRESH, -timedelta(seconds=1), CRL_REFRESH - timedelta(seconds=1)])
def test_all_but_certificates_are_asked_for_again_after_a_day(
    age: timedelta, intel_store: CollateralStore, now: datetime
) -> None:
    due = {found.key for found in intel_store.show(now) if found.is_due(now + age)}
    kept = {found.key for found in intel_store.show(now)} - due
    certificates = {key for key in due | kept if isinstance(key, IntelCertificatesKey)}
    assert kept == (certificates if not timedelta(0) <= age < CRL_REFRESH else kept)
    assert bool(due) is not (timedelta(0) <= age < CRL_REFRESH)


def test_json_is_due_when_its_signers_certificate_has_ended(
    store: CollateralStore, knowledge: Knowledge, signer: IntelCertificatesKey, tcb_info: TcbInfoKey, now: datetime
) -> None:
    ended = knowledge.authorities.with_tcb_signing(not_after=now + DAY)
    store.put(signer, ended.signing_chain, now)
    store.put(tcb_info, knowledge.tcb_info_response, now)
    found = store.look(tcb_info, now + 2 * DAY)
    assert found is not None
    assert (found.state, found.valid_until) == (State.STALE, now + DAY)


# Certificates


def test_certificates_of_one_authority_lie_side_by_side_the_newest_first(
    store: CollateralStore, knowledge: Knowledge, signer: IntelCertificatesKey, now: datetime
) -> None:
    old = knowledge.authorities
    new = old.with_tcb_signing(not_before=now - DAY, not_after=now + 2000 * DAY)
    for authorities in (old, new, old):
        store.put(signer, authorities.signing_chain, now)
        assert authorities.tcb_signing in store.load((signer,), now).certificates
    assert store.load((signer,), now).certificates == (new.tcb_signing, old.tcb_signing)


def test_no_more_than_eight_are_kept(
    store: CollateralStore, knowledge: Knowledge, signer: IntelCertificatesKey, now: datetime
) -> None:
    begins = [now - (20 - day) * DAY for day in range(10)]
    issues = [knowledge.authorities.with_tcb_signing(not_before=begin).tcb_signing for begin in begins]
    for issue in issues:
        store.put(signer, pem(issue), now)
    assert store.load((signer,), now).certificates == tuple(reversed(issues[-8:]))


def test_bad_certificates_are_replaced_by_good_ones(
    intel_store: CollateralStore, knowledge: Knowledge, signer: IntelCertificatesKey, now: datetime
) -> None:
    intel_store.path(signer).write_bytes(pem(ATTACKER.tcb_signing))
    intel_store.put(signer, knowledge.signing_chain, now)
    assert intel_store.load((signer,), now).certificates == (knowledge.authorities.tcb_signing,)


def test_no_root_certificate_is_needed(
    store: CollateralStore, knowledge: Knowledge, intels: tuple[IntelKey, ...], now: datetime
) -> None:
    store.put(intels[0], pem(knowledge.authorities.tcb_signing), now)
    store.put(intels[1], knowledge.root_crl, now)
    store.put(intels[3], knowledge.tcb_info_response, now)
    assert {found.state for found in store.show(now)} == {State.FRESH}


ChainForger = Callable[[IntelCa], bytes]
SIGNER = IntelCertificatesKey(authority=Authority.TCB_SIGNING)
PLATFORM_CA = IntelCertificatesKey(authority=Authority.PLATFORM)
ROOT = IntelCertificatesKey(authority=Authority.ROOT)


@pytest.mark.parametrize(
    ("key", "forge", "category", "why"),
    [
        (SIGNER, lambda ca: b"", Category.MALFORMED, "PEM"),
        (SIGNER, lambda ca: pem(ca.tcb_signing)[:-40], Category.MALFORMED, "PEM"),
        (SIGNER, lambda ca: pem(ca.tcb_signing) * 1000, Category.SIZE_LIMIT, "PEM"),
        (SIGNER, lambda ca: pem(*[ca.tcb_signing] * 17), Category.SIZE_LIMIT, "16"),
        (SIGNER, lambda ca: pem(ca.root), Category.CHAIN, "got root"),
        (SIGNER, lambda ca: pem(ca.root, ca.tcb_signing), Category.CHAIN, "got root, then tcb_signing"),
        (SIGNER, lambda ca: pem(ca.tcb_signing, ca.root, ca.root), Category.CHAIN, "got tcb_signing, then root"),
        (SIGNER, lambda ca: pem(ca.platform, ca.root), Category.CHAIN, "got platform, then root"),
        (SIGNER, lambda ca: pem(ca.tcb_signing, ca.platform), Category.CHAIN, "then platform"),
        (PLATFORM_CA, lambda ca: pem(ca.processor, ca.root), Category.CHAIN, "got processor, then root"),
        (PLATFORM_CA, lambda ca: pem(ca.tcb_signing, ca.root), Category.CHAIN, "got tcb_signing"),
        (ROOT, lambda ca: pem(ca.platform, ca.root), Category.CHAIN, "got platform, then root"),
        (SIGNER, lambda ca: pem(ca.tcb_signing, ATTACKER.root), Category.CHAIN, "pinned in the simulated trust set"),
        (ROOT, lambda ca: pem(ATTACKER.root), Category.CHAIN, "pinned in the simulated trust set"),
        (SIGNER, lambda ca: ATTACKER.signing_chain, Category.SIGNATURE, "under the root key"),
        (SIGNER, lambda ca: pem(ATTACKER.tcb_signing), Category.SIGNATURE, "under the root key"),
        (PLATFORM_CA, lambda ca: pem(ATTACKER.platform), Category.SIGNATURE, "under the root key"),
        (
            SIGNER, lambda ca: pem(ca.with_tcb_signing(signed_by=ca.key("platform")).tcb_signing),
            Category.SIGNATURE, "under the root",
        ),
        (ROOT, lambda ca: pem(ca.with_root(signed_by=ca.key("platform")).root), Category.SIGNATURE, "under the root"),
        (SIGNER, lambda ca: pem(ca.with_tcb_signing(ca=True).tcb_signing), Category.CHAIN, "basic constraints"),
        (
            PLATFORM_CA, lambda ca: pem(ca.with_platform(ca=False, path_length=None).platform),
            Category.CHAIN, "basic constraints",
        ),
        (
            SIGNER,
            lambda ca: pem(ca.with_tcb_signing(key_usage=KeyUsage(key_cert_sign=True, crl_sign=True)).tcb_signing),
            Category.CHAIN, "key usage",
        ),
        (
            PLATFORM_CA, lambda ca: pem(ca.with_platform(key_usage=KeyUsage(digital_signature=True)).platform),
            Category.CHAIN, "key usage",
        ),
        (
            SIGNER, lambda ca: pem(ca.with_tcb_signing(common_name="Intel SGX PCK Certificate").tcb_signing),
            Category.CHAIN, "expected one of Intel SGX Root CA",
        ),
        (
            SIGNER, lambda ca: pem(ca.with_tcb_signing(issuer="Intel SGX PCK Platform CA").tcb_signing),
            Category.CHAIN, "it is named",
        ),
        (SIGNER, lambda ca: pem(ca.with_tcb_signing(common_name="x").tcb_signing), Category.CHAIN, "expected one of"),
    ],
)  # fmt: skip
def test_ac_054_055_forged_certificates_do_not_enter(
    key: IntelCertificatesKey,
    forge: ChainForger,
    category: Category,
    why: str,
    store: CollateralStore,
    knowledge: Knowledge,
    now: datetime,
) -> None:
    refuse(store, key, forge(knowledge.authorities), now, category, why)
    assert store.show(now) == ()


@pytest.mark.parametrize("years", [-10, 30])
def test_certificates_out_of_their_time_do_not_enter(
    years: int, store: CollateralStore, knowledge: Knowledge, signer: IntelCertificatesKey, now: datetime
) -> None:
    then = now.replace(year=now.year + years)
    refuse(store, signer, knowledge.signing_chain, then, Category.EXPIRED, "expected one valid at")


def test_ac_117_simulated_objects_do_not_enter_a_production_store(
    intel_store: CollateralStore, tmp_path: Path, now: datetime
) -> None:
    production = CollateralStore(folder=tmp_path / "other", trust=TrustRoots.production())
    for found in intel_store.show(now):
        with pytest.raises(CollateralError):
            production.put(found.key, intel_store.path(found.key).read_bytes(), now)
    shutil.copytree(intel_store.folder / "simulated", production.folder / "production")
    assert {found.state for found in production.show(now)} == {State.BAD}


# Revocation lists


ListForger = Callable[[Knowledge], bytes]


@pytest.mark.parametrize(
    ("forge", "category", "why"),
    [
        (lambda k: k.with_pck_crl(signed_by=k.authorities.key("root")).pck_crl, Category.CHAIN, "signature"),
        (lambda k: k.with_pck_crl(signed_by=k.authorities.key("processor")).pck_crl, Category.CHAIN, "signature"),
        (lambda k: replace(k, authorities=ATTACKER).pck_crl, Category.CHAIN, "signature"),
        (lambda k: k.with_pck_crl(issuer="Intel SGX PCK Processor CA").pck_crl, Category.CHAIN, "issuer"),
        (lambda k: k.root_crl, Category.CHAIN, "issuer"),
        (lambda k: k.with_pck_crl(lifetime=None).pck_crl, Category.CHAIN, "when the next one comes"),
        (
            lambda k: k.with_pck_crl(add=(Extension(oid="2.5.29.28", critical=True, value=der.null()),)).pck_crl,
            Category.CHAIN, "critical extension",
        ),
        (lambda k: k.pck_crl[:-1], Category.MALFORMED, "Platform"),
        (lambda k: k.pck_crl + b"\0", Category.MALFORMED, "Platform"),
        (lambda k: write_pem(k.pck_crl, "X509 CRL"), Category.MALFORMED, "Platform"),
        (lambda k: k.authorities.platform, Category.MALFORMED, "Platform"),
        (lambda k: b"<html>", Category.MALFORMED, "Platform"),
        (lambda k: bytes(70_000), Category.SIZE_LIMIT, "at most"),
        (lambda k: replace(k, pck_crl_issued=k.pck_crl_issued - 30 * DAY).pck_crl, Category.EXPIRED, "ended"),
        (lambda k: replace(k, pck_crl_issued=k.pck_crl_issued + 11 * DAY).pck_crl, Category.EXPIRED, "begins"),
        (
            lambda k: replace(k, pck_crl_issued=k.pck_crl_issued - timedelta(seconds=1)).pck_crl,
            Category.ROLLBACK, "expected one issued 2026-11-11 12:00:00 or later, as stored",
        ),
    ],
)  # fmt: skip
def test_ac_042_117_a_forged_stale_or_older_pck_list_does_not_enter(
    forge: ListForger,
    category: Category,
    why: str,
    intel_store: CollateralStore,
    knowledge: Knowledge,
    pck_crl: IntelCrlKey,
    now: datetime,
) -> None:
    refuse(intel_store, pck_crl, forge(knowledge), now, category, why)


@pytest.mark.parametrize(
    ("forge", "category", "why"),
    [
        (lambda k: k.with_root_crl(signed_by=k.authorities.key("platform")).root_crl, Category.CHAIN, "signature"),
        (lambda k: replace(k, authorities=ATTACKER).root_crl, Category.CHAIN, "signature"),
        (lambda k: k.with_root_crl(issuer="Intel SGX PCK Platform CA").root_crl, Category.CHAIN, "its issuer is"),
        (lambda k: k.pck_crl, Category.CHAIN, "its issuer is"),
        (lambda k: k.with_root_crl(lifetime=None).root_crl, Category.CHAIN, "when the next one comes"),
        (
            lambda k: k.with_root_crl(add=(Extension(oid="2.5.29.28", critical=True, value=der.null()),)).root_crl,
            Category.CHAIN, "critical extension",
        ),
        (lambda k: k.root_crl[:-1], Category.MALFORMED, "root"),
        (lambda k: replace(k, root_crl_issued=k.root_crl_issued - DAY).root_crl, Category.ROLLBACK, "as stored"),
    ],
)  # fmt: skip
def test_ac_042_117_a_forged_or_older_root_list_does_not_enter(
    forge: ListForger,
    category: Category,
    why: str,
    intel_store: CollateralStore,
    knowledge: Knowledge,
    root_crl: IntelCrlKey,
    now: datetime,
) -> None:
    refuse(intel_store, root_crl, forge(knowledge), now, category, why)


def test_a_newer_list_takes_an_olders_place(
    intel_store: CollateralStore, knowledge: Knowledge, pck_crl: IntelCrlKey, now: datetime
) -> None:
    newer = replace(knowledge, pck_crl_issued=now).revoking_pck(SoftwarePlatform())
    intel_store.put(pck_crl, newer.pck_crl, now)
    assert intel_store.load((pck_crl,), now).intel_crls == (newer.pck_crl,)


def test_a_pck_list_does_not_enter_without_its_authoritys_certificate(
    store: CollateralStore, knowledge: Knowledge, pck_crl: IntelCrlKey, now: datetime
) -> None:
    refuse(store, pck_crl, knowledge.pck_crl, now, Category.UNAVAILABLE, "certificates: not in the store")


def test_lists_that_hold_come_first(
    intel_store: CollateralStore, knowledge: Knowledge, root_crl: IntelCrlKey, pck_crl: IntelCrlKey, now: datetime
) -> None:
    later = now + 60 * DAY
    assert intel_store.load((pck_crl, root_crl), now).intel_crls == (knowledge.pck_crl, knowledge.root_crl)
    assert intel_store.load((pck_crl, root_crl), later).intel_crls == (knowledge.root_crl, knowledge.pck_crl)


# TCB info and QE identity

Forger = Callable[[Knowledge], bytes]
OTHER_FMSPC = SoftwarePlatform(fmspc=bytes.fromhex("ab0000000000"))


def signed_as(knowledge: Knowledge, old: bytes, new: bytes) -> bytes:
    """TCB info with other words in it, signed as they are."""
    body = read_signed(knowledge.tcb_info_response, "tcbInfo").body
    assert old in body
    return knowledge.authorities.sign_json("tcbInfo", body.replace(old, new, 1))


@pytest.mark.parametrize(
    ("forge", "category", "why"),
    [
        (lambda k: Knowledge.of(OTHER_FMSPC, k.tcb_info.issue_date).tcb_info_response,
         Category.COLLATERAL_MISMATCH, "expected this FMSPC, got AB0000000000"),
        (lambda k: signed_as(k, b'"id":"TDX"', b'"id":"SGX"'), Category.COLLATERAL_MISMATCH, "got 'SGX'"),
        (lambda k: signed_as(k, b'"version":3', b'"version":2'), Category.UNSUPPORTED, "version"),
        (lambda k: signed_as(k, b'"id":"TDX"', b'"id":"TDX","id":"TDX"'), Category.MALFORMED, "once"),
        (lambda k: signed_as(k, b'"tcbType":0', b'"tcbType":NaN'), Category.MALFORMED, "strict JSON"),
        (lambda k: signed_as(k, b'"tcbType":0', b'"tcbType":1e400'), Category.MALFORMED, "tcbType"),
        (lambda k: signed_as(k, b'"tcbType":0', b'"tcbType":' + b"[" * 100_000), Category.MALFORMED, "strict JSON"),
        (lambda k: k.tcb_info_response + b"{}", Category.MALFORMED, "another form"),
        (lambda k: k.tcb_info_response.replace(b'"id"', b' "id"'), Category.SIGNATURE, "fails"),
        (lambda k: k.tcb_info_response.replace(b"UpToDate", b"UpToDatE"), Category.SIGNATURE, "fails"),
        (lambda k: k.qe_identity_response, Category.MALFORMED, "another form"),
        (lambda k: replace(k, authorities=ATTACKER).tcb_info_response, Category.SIGNATURE, "fails"),
        (lambda k: k.authorities.sign_json(
            "tcbInfo", read_signed(k.tcb_info_response, "tcbInfo").body, signed_by=k.authorities.key("platform")),
         Category.SIGNATURE, "fails"),
        (lambda k: k.authorities.sign_json("tcbInfo", b"{}", signature=bytes(64)), Category.SIGNATURE, "fails"),
        (lambda k: b"{" + b" " * 300_000, Category.SIZE_LIMIT, "at most"),
        (lambda k: Knowledge.of(SoftwarePlatform(), k.tcb_info.issue_date - 30 * DAY, number=21).tcb_info_response,
         Category.EXPIRED, "ended"),
        (lambda k: Knowledge.of(SoftwarePlatform(), k.tcb_info.issue_date - DAY).tcb_info_response,
         Category.ROLLBACK, "or later, as stored, got one of evaluation number 20 of 2026-11-10"),
        (lambda k: Knowledge.of(SoftwarePlatform(), k.tcb_info.issue_date + DAY, number=19).tcb_info_response,
         Category.ROLLBACK, "evaluation number 20 of 2026-11-11 12:00:00 or later, as stored, got one of evaluation"),
    ],
)  # fmt: skip
def test_ac_043_052_053_a_forged_or_older_tcb_info_does_not_enter(
    forge: Forger,
    category: Category,
    why: str,
    intel_store: CollateralStore,
    knowledge: Knowledge,
    tcb_info: TcbInfoKey,
    now: datetime,
) -> None:
    refuse(intel_store, tcb_info, forge(knowledge), now, category, why)


@pytest.mark.parametrize("other", ["QE", "QVE", "QAE"])
def test_identities_of_other_enclaves_do_not_enter(
    other: str, intel_store: CollateralStore, knowledge: Knowledge, qe_identity: QeIdentityKey, now: datetime
) -> None:
    body = read_signed(knowledge.qe_identity_response, "enclaveIdentity").body
    twin = knowledge.authorities.sign_json("enclaveIdentity", body.replace(b'"TD_QE"', f'"{other}"'.encode()))
    refuse(intel_store, qe_identity, twin, now, Category.COLLATERAL_MISMATCH, f"expected 'TD_QE', got '{other}'")


def test_ac_043_an_older_identity_does_not_enter(
    intel_store: CollateralStore, qe_identity: QeIdentityKey, now: datetime
) -> None:
    older = Knowledge.of(SoftwarePlatform(), now, number=19)
    refuse(intel_store, qe_identity, older.qe_identity_response, now, Category.ROLLBACK, "as stored")
    newer = Knowledge.of(SoftwarePlatform(), now - 20 * DAY, number=21)
    intel_store.put(qe_identity, newer.qe_identity_response, now)


def test_a_number_is_that_number(
    intel_store: CollateralStore, knowledge: Knowledge, platform: SoftwarePlatform, now: datetime
) -> None:
    for wrong in (19, 21):
        tcb, qe = TcbInfoKey(fmspc=platform.fmspc, issue=wrong), QeIdentityKey(issue=wrong)
        why = f"expected evaluation number {wrong}, got 20"
        refuse(intel_store, tcb, knowledge.tcb_info_response, now, Category.COLLATERAL_MISMATCH, why)
        refuse(intel_store, qe, knowledge.qe_identity_response, now, Category.COLLATERAL_MISMATCH, why)


def test_several_issues_lie_side_by_side_and_are_all_given_out(
    intel_store: CollateralStore, platform: SoftwarePlatform, tcb_info: TcbInfoKey, now: datetime
) -> None:
    for number, issue in ((21, Update.EARLY), (18, 18)):
        other = Knowledge.of(platform, now, number=number)
        intel_store.put(TcbInfoKey(fmspc=platform.fmspc, issue=issue), other.tcb_info_response, now)
        intel_store.put(QeIdentityKey(issue=issue), other.qe_identity_response, now)
    for issue in (Update.STANDARD, Update.EARLY, 18, 5):
        loaded = intel_store.load((TcbInfoKey(fmspc=platform.fmspc, issue=issue), QeIdentityKey(issue=issue)), now)
        assert (len(loaded.tcb_infos), len(loaded.qe_identities)) == (3, 3)
    assert intel_store.load((TcbInfoKey(fmspc=bytes(6)),), now) == Collateral()
    first = intel_store.load((TcbInfoKey(fmspc=platform.fmspc, issue=18),), now).tcb_infos[0]
    assert b'"tcbEvaluationDataNumber":18' in first.body


def test_ac_106_so_many_issues_are_given_out(
    intel_store: CollateralStore, qe_identity: QeIdentityKey, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    for number in (18, 19, 20):
        other = Knowledge.of(SoftwarePlatform(), now, number=number)
        intel_store.put(QeIdentityKey(issue=number), other.qe_identity_response, now)
    assert len(intel_store.load((qe_identity,), now).qe_identities) == 4
    monkeypatch.setattr("cvmproof.collateral.store.MAXIMUM_ISSUES", 2)
    assert len(intel_store.load((qe_identity,), now).qe_identities) in {2, 3}  # the one asked for is always there


def test_json_does_not_enter_without_its_signers_certificate(
    store: CollateralStore, knowledge: Knowledge, tcb_info: TcbInfoKey, qe_identity: QeIdentityKey, now: datetime
) -> None:
    refuse(store, tcb_info, knowledge.tcb_info_response, now, Category.UNAVAILABLE, "not in the store")
    refuse(store, qe_identity, knowledge.qe_identity_response, now, Category.UNAVAILABLE, "not in the store")


def test_evaluation_numbers_are_kept_and_not_given_out(
    intel_store: CollateralStore, knowledge: Knowledge, now: datetime
) -> None:
    key, authorities = EvaluationNumbersKey(), knowledge.authorities
    intel_store.put(key, evaluation_numbers_response(authorities, simulated_evaluation_numbers(now, (19, 20))), now)
    older = evaluation_numbers_response(authorities, simulated_evaluation_numbers(now - DAY))
    refuse(intel_store, key, older, now, Category.ROLLBACK, "as stored")
    assert intel_store.load((key,), now) == Collateral()
    found = intel_store.look(key, now)
    assert found is not None
    assert found.state is State.FRESH


# What lies on the disk is not believed


def test_ac_117_a_tampered_file_is_seen_and_still_given_out(intel_store: CollateralStore, now: datetime) -> None:
    keys = [one.key for one in intel_store.show(now) if not isinstance(one.key, IntelCertificatesKey)]
    for key in keys:
        path = intel_store.path(key)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        found = intel_store.look(key, now)
        assert found is not None
        assert (found.state, found.is_due(now)) == (State.BAD, True)
    loaded = intel_store.load(keys, now)
    assert (len(loaded.intel_crls), len(loaded.tcb_infos), len(loaded.qe_identities)) == (2, 1, 1)


def test_ac_117_json_of_another_platform_is_seen(
    intel_store: CollateralStore, tcb_info: TcbInfoKey, knowledge: Knowledge, now: datetime
) -> None:
    other = Knowledge.of(OTHER_FMSPC, now)
    intel_store.path(tcb_info).write_bytes(other.tcb_info_response)
    found = intel_store.look(tcb_info, now)
    assert found is not None
    assert (found.state, "expected this FMSPC" in found.why) == (State.BAD, True)
    intel_store.put(tcb_info, knowledge.tcb_info_response, now)


def test_a_file_that_is_no_json_is_given_to_nobody(
    intel_store: CollateralStore, tcb_info: TcbInfoKey, now: datetime
) -> None:
    intel_store.path(tcb_info).write_bytes(b"garbage")
    assert intel_store.load((tcb_info,), now).tcb_infos == ()
    found = intel_store.look(tcb_info, now)
    assert found is not None
    assert found.state is State.BAD


def test_files_that_have_no_name_here_are_passed_over(
    intel_store: CollateralStore, tcb_info: TcbInfoKey, now: datetime
) -> None:
    before = intel_store.load((tcb_info,), now)
    folder = intel_store.path(tcb_info).parent
    for name in ("0020.json", "x.json", "20", ".hidden.json"):
        shutil.copy(intel_store.path(tcb_info), folder / name)
    assert intel_store.load((tcb_info,), now) == before
    assert len(intel_store.show(now)) == 6


def test_a_bundle_takes_what_has_ended(
    store: CollateralStore, knowledge: Knowledge, intels: tuple[IntelKey, ...], now: datetime
) -> None:
    later = now + 3000 * DAY
    store.put(intels[0], knowledge.signing_chain, later, whatever_its_dates=True)
    store.put(intels[3], knowledge.tcb_info_response, later, whatever_its_dates=True)
    assert {found.state for found in store.show(later)} == {State.STALE}
    older = Knowledge.of(SoftwarePlatform(), now - 20 * DAY)
    with pytest.raises(CollateralError, match="as stored"):
        store.put(intels[3], older.tcb_info_response, later, whatever_its_dates=True)


def test_the_body_is_kept_as_it_was_signed(
    intel_store: CollateralStore, knowledge: Knowledge, tcb_info: TcbInfoKey, now: datetime
) -> None:
    sent = read_signed(knowledge.tcb_info_response, "tcbInfo")
    spaced = b' { "tcbInfo" : ' + sent.body + b' , "signature" : "' + sent.signature.hex().encode() + b'" } '
    intel_store.put(tcb_info, spaced, now)
    [loaded] = intel_store.load((tcb_info,), now).tcb_infos
    assert loaded == Signed(body=sent.body, signature=sent.signature)


def test_certificates_that_are_given_out_are_read(intel_store: CollateralStore, now: datetime) -> None:
    [der_] = intel_store.load((SIGNER,), now).certificates
    assert read_pem(intel_store.path(SIGNER).read_bytes()) == (der_,)
