"""Bundles of Intel's own files: simulated ones in every form and order, and all that was recorded."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import permutations
from pathlib import Path

import pytest

from cvmproof.collateral import bundle as bundles
from cvmproof.collateral.bundle import Imported, Taken
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
from cvmproof.collateral.store import CollateralStore, State
from cvmproof.trust import TrustRoots
from cvmproof_formats.errors import Category, CollateralError
from cvmproof_formats.pem import write_pem
from cvmproof_formats.tdx.qe_identity import read_qe_identity
from cvmproof_formats.tdx.signed_json import build_signed, read_signed
from cvmproof_formats.tdx.tcb_info import read_tcb_info
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

LATER = timedelta(days=5000)
ATTACKER = IntelCa(generate_intel_keys())


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    return folder


def written(folder: Path, files: dict[str, bytes]) -> list[Path]:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in files]


def few(knowledge: Knowledge) -> dict[str, bytes]:
    """The least that makes a bundle: no root, no PCK CA."""
    return {
        "pck.crl": knowledge.pck_crl,
        "tcb.json": knowledge.tcb_info_response,
        "root.crl": knowledge.root_crl,
        "qe.json": knowledge.qe_identity_response,
        "signing.pem": write_pem(knowledge.authorities.tcb_signing),
    }


def reasons(imported: Imported) -> list[tuple[str, Category]]:
    return [(one.source.name, one.category) for one in imported.refused]


@pytest.mark.parametrize("order", [*permutations(range(5))][::7])
def test_files_make_a_bundle_in_any_order_and_without_a_root(
    order: tuple[int, ...],
    bundle: Path,
    store: CollateralStore,
    knowledge: Knowledge,
    intels: tuple[IntelKey, ...],
    now: datetime,
) -> None:
    paths = written(bundle, few(knowledge))
    imported = store.import_([paths[place] for place in order], now + LATER, as_bundle=True)
    assert imported.refused == ()
    loaded = store.load(intels, now)
    assert loaded.certificates == (knowledge.authorities.tcb_signing,)
    assert set(loaded.intel_crls) == {knowledge.root_crl, knowledge.pck_crl}
    assert loaded.tcb_infos == (read_signed(knowledge.tcb_info_response, "tcbInfo"),)
    assert loaded.qe_identities == (read_signed(knowledge.qe_identity_response, "enclaveIdentity"),)


def test_a_list_whose_authority_is_not_there_is_said_to_be_unverified(
    bundle: Path, store: CollateralStore, knowledge: Knowledge, now: datetime
) -> None:
    imported = store.import_(written(bundle, few(knowledge)), now, as_bundle=True)
    key = IntelCrlKey(authority=Authority.PLATFORM)
    unverified = [one for one in imported.taken if not one.verified]
    assert unverified == [Taken(source=bundle / "pck.crl", key=key, verified=False)]
    digest = sha256(knowledge.pck_crl).hexdigest()
    assert [path.name for path in store.loose()] == [f"intel-platform-{digest[:16]}.crl"]
    assert key not in {one.key for one in store.show(now)}


def test_ac_117_it_does_not_enter_the_store_itself(
    bundle: Path, store: CollateralStore, knowledge: Knowledge, now: datetime
) -> None:
    imported = store.import_(written(bundle, few(knowledge)), now)
    assert reasons(imported) == [("pck.crl", Category.UNAVAILABLE)]
    assert len(store.show(now)) == 4


def test_with_its_authority_it_is_verified_wherever_that_comes_from(
    bundle: Path, store: CollateralStore, knowledge: Knowledge, now: datetime
) -> None:
    files = {**few(knowledge), "zz-ca.pem": knowledge.pck_crl_chain}
    imported = store.import_(written(bundle, files), now, as_bundle=True)
    assert (imported.refused, all(one.verified for one in imported.taken)) == ((), True)
    assert {found.state for found in store.show(now)} == {State.FRESH}


def test_ac_117_a_forged_list_is_refused_once_its_authority_is_known(
    bundle: Path, store: CollateralStore, knowledge: Knowledge, now: datetime
) -> None:
    forged = replace(knowledge, authorities=ATTACKER).pck_crl
    files = {"forged.crl": forged, "ca.pem": knowledge.pck_crl_chain}
    imported = store.import_(written(bundle, files), now, as_bundle=True)
    assert reasons(imported) == [("forged.crl", Category.CHAIN)]


def test_every_form_is_taken(bundle: Path, store: CollateralStore, knowledge: Knowledge, now: datetime) -> None:
    authorities = knowledge.authorities
    numbers = evaluation_numbers_response(authorities, simulated_evaluation_numbers(now))
    files = {
        "0-processor.hex": authorities.pck_crl(knowledge.ca.PROCESSOR, now).hex().encode(),
        "1-platform.pem": write_pem(knowledge.pck_crl, "X509 CRL").replace(b"\n", b"\r\n"),
        "2-root.der": knowledge.root_crl,
        "3-tcb.json": b"\n" + knowledge.tcb_info_response + b"\n",
        "4-qe": knowledge.qe_identity_response,
        "5-numbers": numbers,
        "6-signer.der": authorities.tcb_signing,
        "7-processor-ca.pem": write_pem(authorities.processor) + write_pem(authorities.root),
        "8-platform-ca.pem": write_pem(authorities.root) + write_pem(authorities.platform),
    }
    imported = store.import_(written(bundle, files), now)
    assert imported.refused == ()
    number = knowledge.tcb_info.evaluation_number
    certificates = {IntelCertificatesKey(authority=authority) for authority in Authority}
    lists = {IntelCrlKey(authority=authority) for authority in Authority if authority is not Authority.TCB_SIGNING}
    tcb = TcbInfoKey(fmspc=knowledge.tcb_info.fmspc, issue=number)
    assert {one.key for one in imported.taken} == {
        *certificates, *lists, tcb, QeIdentityKey(issue=number), EvaluationNumbersKey()
    }  # fmt: skip
    assert {found.state for found in store.show(now)} == {State.FRESH}


def test_a_store_is_a_bundle_and_keeps_its_channels(
    intel_store: CollateralStore, tmp_path: Path, platform: SoftwarePlatform, now: datetime
) -> None:
    early = Knowledge.of(platform, now, number=21)
    intel_store.put(TcbInfoKey(fmspc=platform.fmspc, issue=Update.EARLY), early.tcb_info_response, now)
    intel_store.put(QeIdentityKey(issue=Update.EARLY), early.qe_identity_response, now)
    other = CollateralStore(folder=tmp_path / "other", trust=TrustRoots.simulated())
    assert other.import_(intel_store.folder, now).refused == ()
    assert {one.key for one in other.show(now)} == {one.key for one in intel_store.show(now)}


def test_ac_106_a_store_of_too_many_platforms_is_refused(
    store: CollateralStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    monkeypatch.setattr(bundles, "MAXIMUM_FILES", 3)
    folder = tmp_path / "simulated" / "intel" / "tcb"
    for number in range(3):
        (folder / str(number)).mkdir(parents=True)
    assert store.import_(tmp_path, now) == Imported(taken=(), refused=())
    (folder / "one more").mkdir()
    with pytest.raises(CollateralError, match="expected at most 3 folders of TCB info, got more") as caught:
        store.import_(tmp_path, now)
    assert caught.value.category is Category.SIZE_LIMIT


def test_of_several_issues_the_newest_stays(
    bundle: Path, store: CollateralStore, platform: SoftwarePlatform, now: datetime
) -> None:
    issued = [now - timedelta(days=days) for days in (3, 1, 2)]
    known = [Knowledge.of(platform, at) for at in issued]
    files = {f"{i}.json": one.tcb_info_response for i, one in enumerate(known)}
    files |= {f"{i}-qe.json": one.qe_identity_response for i, one in enumerate(known)}
    files |= {f"{i}.crl": one.root_crl for i, one in enumerate(known)}
    imported = store.import_(written(bundle, {**files, "s.pem": known[0].signing_chain}), now)
    assert imported.refused == ()
    wanted = (TcbInfoKey(fmspc=platform.fmspc), QeIdentityKey(), IntelCrlKey(authority=Authority.ROOT))
    loaded = store.load(wanted, now)
    assert loaded.tcb_infos == (read_signed(known[1].tcb_info_response, "tcbInfo"),)
    assert loaded.qe_identities == (read_signed(known[1].qe_identity_response, "enclaveIdentity"),)
    assert loaded.intel_crls == (known[1].root_crl,)


def test_what_has_ended_is_for_bundles(
    bundle: Path, store: CollateralStore, knowledge: Knowledge, now: datetime
) -> None:
    paths = written(bundle, few(knowledge))
    imported = store.import_(paths, now + LATER)
    assert imported.taken == ()
    assert {category for _, category in reasons(imported)} == {Category.EXPIRED, Category.UNAVAILABLE}


def twin(knowledge: Knowledge, name: str, old: bytes, new: bytes) -> bytes:
    data = knowledge.tcb_info_response if name == "tcbInfo" else knowledge.qe_identity_response
    return knowledge.authorities.sign_json(name, read_signed(data, name).body.replace(old, new, 1))


def bad_files(knowledge: Knowledge) -> dict[str, tuple[bytes, Category]]:
    tcb, attacker = knowledge.tcb_info_response, replace(knowledge, authorities=ATTACKER)
    return {
        "sgx-tcb.json": (twin(knowledge, "tcbInfo", b'"TDX"', b'"SGX"'), Category.COLLATERAL_MISMATCH),
        "sgx-qe.json": (twin(knowledge, "enclaveIdentity", b'"TD_QE"', b'"QE"'), Category.COLLATERAL_MISMATCH),
        "qve.json": (twin(knowledge, "enclaveIdentity", b'"TD_QE"', b'"QVE"'), Category.COLLATERAL_MISMATCH),
        "other.json": (b'{"schema":"x"}', Category.MALFORMED),
        "tail.json": (tcb + b"x", Category.MALFORMED),
        "spaced.json": (tcb.replace(b'"version"', b' "version"'), Category.SIGNATURE),
        "attackers.json": (attacker.tcb_info_response, Category.SIGNATURE),
        "attackers-root.der": (ATTACKER.root, Category.CHAIN),
        "attackers-signer.der": (ATTACKER.tcb_signing, Category.SIGNATURE),
        "attackers-root.crl": (attacker.root_crl, Category.CHAIN),
        "pck.der": (SoftwarePlatform().pck(), Category.UNAVAILABLE),
        "html": (b"<html>", Category.MALFORMED),
    }


@pytest.mark.parametrize("name", sorted(bad_files(Knowledge.of(SoftwarePlatform(), datetime(2026, 11, 1, tzinfo=UTC)))))
@pytest.mark.parametrize("as_bundle", [False, True])
def test_ac_117_what_is_refused_is_named_with_the_reason(
    name: str, *, as_bundle: bool, bundle: Path, intel_store: CollateralStore, knowledge: Knowledge, now: datetime
) -> None:
    data, category = bad_files(knowledge)[name]
    before = intel_store.show(now)
    imported = intel_store.import_(written(bundle, {name: data}), now, as_bundle=as_bundle)
    assert (imported.taken, reasons(imported)) == ((), [(name, category)])
    assert intel_store.show(now) == before


# Loose files


def test_loose_files_count_by_what_they_contain(
    store: CollateralStore,
    knowledge: Knowledge,
    intels: tuple[IntelKey, ...],
    platform: SoftwarePlatform,
    now: datetime,
) -> None:
    store.folder.mkdir()
    other = Knowledge.of(replace(platform, fmspc=bytes(6)), now)
    files = {
        **few(knowledge),
        "other-tcb.json": other.tcb_info_response,
        "processor.crl": knowledge.authorities.pck_crl(knowledge.ca.PROCESSOR, now),
        "root.pem": write_pem(knowledge.authorities.root),
        "unreadable.json": build_signed("tcbInfo", read_signed(knowledge.qe_identity_response, "enclaveIdentity")),
    }
    written(store.folder, files)
    loaded = store.load(intels, now)
    assert loaded.certificates == (knowledge.authorities.tcb_signing,)
    assert set(loaded.intel_crls) == {knowledge.root_crl, knowledge.pck_crl}
    assert (loaded.crls, len(loaded.tcb_infos), len(loaded.qe_identities)) == ((), 1, 1)


def test_a_loose_list_that_cannot_be_read_is_not_absent(
    store: CollateralStore, intels: tuple[IntelKey, ...], now: datetime
) -> None:
    store.folder.mkdir()
    (store.folder / "x.crl").write_bytes(b"garbage")
    loaded = store.load(intels, now)
    assert (loaded.intel_crls, loaded.crls) == ((b"garbage",), ())


def test_loose_objects_are_counted(store: CollateralStore, platform: SoftwarePlatform, now: datetime) -> None:
    store.folder.mkdir()
    known = [Knowledge.of(platform, now - timedelta(days=days)) for days in range(65)]
    written(store.folder, {f"{i}.json": one.tcb_info_response for i, one in enumerate(known)})
    with pytest.raises(CollateralError, match="at most 64 loose objects") as caught:
        store.load((TcbInfoKey(fmspc=platform.fmspc),), now)
    assert caught.value.category is Category.SIZE_LIMIT


# Recorded


@pytest.fixture
def production(tmp_path: Path) -> CollateralStore:
    return CollateralStore(folder=tmp_path / "bundle", trust=TrustRoots.production())


def test_everything_recorded_is_taken(recorded: Path, production: CollateralStore, now: datetime) -> None:
    folder = recorded / "tdx" / "collateral"
    sources = [folder / name for name in ("tcb", "qe", "crl", "certs")]
    imported = production.import_(sources, now, as_bundle=True)
    assert imported.refused == ()
    assert {one.source for one in imported.taken} == {path for source in sources for path in source.iterdir()}
    assert all(one.verified for one in imported.taken)
    roots = production.load((IntelCertificatesKey(authority=Authority.ROOT),), now).certificates
    signers = production.load((IntelCertificatesKey(authority=Authority.TCB_SIGNING),), now).certificates
    assert (len(roots), len(signers)) == (3, 2)


def collateral_of_rows(recorded: Path) -> Iterator[tuple[Path, ...]]:
    """The files of each kind of row, once for each TCB info."""
    seen = set()
    for line in (recorded / "tdx" / "cases.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["tcb"] not in seen:
            seen.add(row["tcb"])
            yield tuple(recorded / "tdx" / row[name] for name in ("pck_crl", "tcb", "root_crl", "qe", "signing_cert"))


def test_a_recorded_rows_files_make_a_bundle_without_root_and_ca(recorded: Path, tmp_path: Path, now: datetime) -> None:
    for number, paths in enumerate(collateral_of_rows(recorded)):
        store = CollateralStore(folder=tmp_path / str(number), trust=TrustRoots.production())
        imported = store.import_(paths, now, as_bundle=True)
        assert imported.refused == ()
        body = read_signed(paths[1].read_bytes(), "tcbInfo").body
        identity = read_signed(paths[3].read_bytes(), "enclaveIdentity")
        wanted = (
            IntelCertificatesKey(authority=Authority.TCB_SIGNING), IntelCrlKey(authority=Authority.ROOT),
            IntelCrlKey(authority=Authority.PLATFORM), IntelCrlKey(authority=Authority.PROCESSOR),
            TcbInfoKey(fmspc=read_tcb_info(body).fmspc), QeIdentityKey(),
        )  # fmt: skip
        loaded = store.load(wanted, now)
        assert [signed.body for signed in loaded.tcb_infos] == [body]
        assert loaded.qe_identities == (identity,)
        assert read_qe_identity(identity.body)
        assert sorted(loaded.intel_crls) == sorted({paths[0].read_bytes(), paths[2].read_bytes()})


def smallest(folder: Path, pattern: str) -> Path:
    return min(folder.glob(pattern), key=lambda path: path.stat().st_size)


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        ("tcb", "*.json"), ("qe", "*.json"), ("crl", "root_*.der"), ("crl", "platform_*.der"),
        ("certs", "tcb_signing_2025*.der"), ("certs", "pck_platform*.der"), ("certs", "root_2018*.pem"),
    ],
)  # fmt: skip
def test_ac_117_a_recorded_file_is_refused_whichever_byte_was_flipped(
    kind: str, pattern: str, recorded: Path, production: CollateralStore, tmp_path: Path, now: datetime
) -> None:
    folder = recorded / "tdx" / "collateral"
    production.import_([folder / "certs"], now, as_bundle=True)
    before = {one.key for one in production.show(now)}
    path, flipped = smallest(folder / kind, pattern), tmp_path / "flipped"
    data = path.read_bytes()
    for place in range(len(data)):
        flipped.write_bytes(data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :])
        imported = production.import_([flipped], now, as_bundle=True)
        assert imported.taken == (), f"byte {place}"
    assert {one.key for one in production.show(now)} == before
    assert production.import_([path], now, as_bundle=True).refused == ()


def test_recorded_collateral_does_not_enter_a_simulated_store(
    recorded: Path, store: CollateralStore, now: datetime
) -> None:
    imported = store.import_([recorded / "tdx" / "collateral" / "certs"], now, as_bundle=True)
    assert imported.taken == ()
    assert {category for _, category in reasons(imported)} == {Category.CHAIN, Category.SIGNATURE}


def test_the_synthetic_set_of_intels_tests_is_not_intels(
    recorded: Path, production: CollateralStore, now: datetime
) -> None:
    production.import_([recorded / "tdx" / "collateral" / "certs"], now, as_bundle=True)
    folder = recorded / "tdx" / "bad" / "intel-qvl-synthetic-tdx"
    files = [path for path in folder.iterdir() if path.name != "quote.dat"]
    imported = production.import_(files, now, as_bundle=True)
    assert imported.taken == ()
    assert {one.source for one in imported.refused} == set(files)


def test_what_a_pcs_answered_is_taken_as_it_came(recorded: Path, production: CollateralStore, now: datetime) -> None:
    production.import_([recorded / "tdx" / "collateral" / "certs"], now, as_bundle=True)
    folder = recorded / "tdx" / "pcs_responses" / "google+go-tdx-guest"
    names = ("pckcrl", "rootcrl.der", "sample_tcbInfo_response", "sample_qeIdentity_response")
    imported = production.import_([folder / name for name in names], now, as_bundle=True)
    assert imported.refused == ()
    assert {one.source.name for one in imported.taken} == set(names)
