import multiprocessing
import os
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import platformdirs
import pytest

from cvmproof.collateral.collateral import Collateral, Crl
from cvmproof.collateral.keys import ChainKey, CrlKey, VcekKey, Wanted
from cvmproof.collateral.store import CollateralStore, State
from cvmproof.trust import TrustRoots
from cvmproof_formats import der
from cvmproof_formats.errors import Category, CollateralError, Misuse
from cvmproof_formats.pem import write_pem
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.x509 import Extension, KeyUsage
from cvmproof_simulator.ca import AmdCa
from cvmproof_simulator.keys import checked_in_keys
from cvmproof_simulator.psp import SoftwarePsp, spki_of

YEARS = timedelta(days=366)


def pem(*ders: bytes) -> bytes:
    return b"".join(write_pem(one) for one in ders)


def test_what_was_put_is_loaded(
    filled: CollateralStore, psp: SoftwarePsp, ca: AmdCa, chain: ChainKey, crl: CrlKey, vcek: VcekKey, now: datetime
) -> None:
    loaded = filled.load((chain, crl, vcek), now)
    assert loaded.certificates == (ca.ask, ca.ark, psp.vek())
    assert loaded.crls == (Crl(der=ca.crl(now - timedelta(days=10)), kind=KeyKind.VCEK),)


def test_only_what_is_wanted_is_loaded(filled: CollateralStore, vcek: VcekKey, psp: SoftwarePsp, now: datetime) -> None:
    assert filled.load((vcek,), now) == Collateral(certificates=(psp.vek(),))


def test_a_folder_that_is_not_there_has_nothing(store: CollateralStore, chain: ChainKey, now: datetime) -> None:
    assert store.load((chain,), now) == Collateral()
    assert store.show(now) == ()
    assert not store.folder.exists()


def test_the_default_store_is_in_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / name)
    store = CollateralStore.default(TrustRoots.production())
    assert (store.folder, store.trust.name) == (tmp_path / "cvmproof" / "collateral", "production")


@pytest.mark.parametrize("product", ProductLine)
@pytest.mark.parametrize("kind", KeyKind)
def test_every_product_line_and_kind_is_kept(
    product: ProductLine, kind: KeyKind, store: CollateralStore, now: datetime
) -> None:
    psp = SoftwarePsp(product, kind)
    ca = psp.authorities
    store.put(ChainKey(product=product, kind=kind), pem(ca.intermediate(kind), ca.ark), now)
    store.put(CrlKey(product=product, kind=kind), ca.crl(now), now)
    if kind is KeyKind.VCEK:
        hwid = psp.identity.hwid
        assert hwid is not None
        store.put(VcekKey(product=product, hwid=hwid, tcb=psp.reported_tcb), psp.vek(), now)
    assert {found.state for found in store.show(now)} == {State.FRESH}


def test_show_lists_everything_with_what_it_is_worth(
    filled: CollateralStore, chain: ChainKey, crl: CrlKey, vcek: VcekKey, now: datetime
) -> None:
    shown = filled.show(now)
    assert {found.key for found in shown} == {chain, crl, vcek}
    assert {found.state for found in shown} == {State.FRESH}
    assert all(found.size == filled.path(found.key).stat().st_size for found in shown)
    assert {found.why for found in shown} == {""}
    [of_list] = [found for found in shown if found.key == crl]
    assert of_list.valid_until == now - timedelta(days=10) + YEARS


def test_show_passes_over_files_that_have_no_name_here(filled: CollateralStore, vcek: VcekKey, now: datetime) -> None:
    for name in ("notes.txt", "00-00.der", "x.der"):
        (filled.path(vcek).parent / name).write_bytes(b"x")
    assert len(filled.show(now)) == 3


def test_ac_106_show_looks_at_so_many_files_of_a_folder(
    filled: CollateralStore, intel_store: CollateralStore, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    assert len(filled.show(now)) == 9
    monkeypatch.setattr("cvmproof.collateral.store.MAXIMUM_LISTED", 1)
    folders = [filled.path(found.key).parent for found in filled.show(now)]
    assert len(folders) == len(set(folders)) == 4


def test_the_end_of_validity_is_the_last_fresh_moment(filled: CollateralStore, crl: CrlKey, now: datetime) -> None:
    end = now - timedelta(days=10) + YEARS
    states = [found.state for at in (end, end + timedelta(seconds=1)) if (found := filled.look(crl, at))]
    assert states == [State.FRESH, State.STALE]


def test_what_has_not_begun_is_bad(filled: CollateralStore, crl: CrlKey, now: datetime) -> None:
    found = filled.look(crl, now - timedelta(days=11))
    assert found is not None
    assert (found.state, found.valid_until) == (State.BAD, None)
    assert found.why == f"{crl}: expected one valid at 2026-11-10 12:00, got one that begins 2026-11-11 12:00"


@pytest.mark.parametrize("age", [timedelta(hours=24), timedelta(seconds=-1)])
def test_a_list_is_asked_for_again_after_a_day(
    age: timedelta, filled: CollateralStore, crl: CrlKey, now: datetime
) -> None:
    stored = filled.look(crl, now + age)
    assert stored is not None
    assert stored.is_due(now + age)


@pytest.mark.parametrize("age", [timedelta(0), timedelta(hours=24) - timedelta(seconds=1)])
def test_a_list_is_not_asked_for_again_within_a_day(
    age: timedelta, filled: CollateralStore, crl: CrlKey, now: datetime
) -> None:
    stored = filled.look(crl, now + age)
    assert stored is not None
    assert not stored.is_due(now + age)


def test_a_vcek_is_not_asked_for_again_until_it_expires(filled: CollateralStore, vcek: VcekKey, now: datetime) -> None:
    for days, due in ((365 * 6, False), (365 * 7, True)):
        stored = filled.look(vcek, now + timedelta(days=days))
        assert stored is not None
        assert stored.is_due(now + timedelta(days=days)) is due


def test_a_time_without_a_zone_is_misuse(filled: CollateralStore, crl: CrlKey, now: datetime) -> None:
    naive = now.replace(tzinfo=None)
    with pytest.raises(Misuse, match=r"^time: expected an aware datetime"):
        filled.load((crl,), naive)
    with pytest.raises(Misuse, match="expected an aware datetime"):
        filled.put(crl, b"", naive)


# What may not enter


def test_ac_117_a_chain_of_other_keys_does_not_enter(store: CollateralStore, chain: ChainKey, now: datetime) -> None:
    other = AmdCa(ProductLine.MILAN, checked_in_keys(ProductLine.GENOA))
    refuse(
        store, chain, pem(other.ask, other.ark), now, Category.CHAIN, "expected a key pinned in the simulated trust set"
    )


def test_ac_117_a_simulated_chain_does_not_enter_a_production_store(
    store: CollateralStore, ca: AmdCa, chain: ChainKey, now: datetime
) -> None:
    production = CollateralStore(folder=store.folder, trust=TrustRoots.production())
    refuse(production, chain, pem(ca.ask, ca.ark), now, Category.CHAIN, "pinned in the production trust set")


ChainForger = Callable[[AmdCa], bytes]


@pytest.mark.parametrize(
    ("forge", "category", "why"),
    [
        (lambda ca: b"", Category.MALFORMED, "PEM"),
        (lambda ca: pem(ca.ask), Category.CHAIN, "expected 2 certificates, got 1"),
        (lambda ca: pem(ca.ark, ca.ask), Category.CHAIN, "pinned"),
        (lambda ca: pem(ca.ask, ca.ark, ca.ark), Category.CHAIN, "expected 2 certificates, got 3"),
        (lambda ca: pem(ca.asvk, ca.ark), Category.CHAIN, "chain: expected this chain's intermediate first, got a"),
        (lambda ca: pem(ca.ark, ca.ark), Category.CHAIN, "intermediate first"),
        (lambda ca: pem(AmdCa(ProductLine.GENOA).ask, ca.ark), Category.CHAIN, "intermediate first"),
        (lambda ca: pem(ca.with_ask(ca=False).ask, ca.ark), Category.CHAIN, "not a CA"),
        (lambda ca: pem(ca.with_ask(path_length=3).ask, ca.ark), Category.CHAIN, "path length"),
        (
            lambda ca: pem(ca.with_ask(signed_by=checked_in_keys(ProductLine.GENOA).ark).ask, ca.ark),
            Category.SIGNATURE,
            "signature",
        ),
        (
            lambda ca: pem(ca.ask, ca.with_ark(signed_by=checked_in_keys(ProductLine.GENOA).ark).ark),
            Category.SIGNATURE,
            "signature",
        ),
        (lambda ca: pem(ca.ask, ca.with_ark(common_name="ARK-Genoa").ark), Category.CHAIN, "ARK-Milan"),
        (lambda ca: pem(ca.ask, ca.with_ark(ca=False).ark), Category.CHAIN, "not a CA"),
        (lambda ca: pem(ca.ask, ca.ark)[:-40], Category.MALFORMED, "PEM"),
        (lambda ca: b"text\n" + pem(ca.ask, ca.ark), Category.MALFORMED, "PEM"),
    ],
)
def test_ac_117_a_forged_chain_does_not_enter(
    forge: ChainForger,
    category: Category,
    why: str,
    store: CollateralStore,
    ca: AmdCa,
    chain: ChainKey,
    now: datetime,
) -> None:
    message = refuse(store, chain, forge(ca), now, category, why)
    assert message.startswith((f"{chain}: ", "Milan root: "))


@pytest.mark.parametrize("years", [-10, 30])
def test_a_chain_out_of_its_time_does_not_enter(
    years: int, store: CollateralStore, ca: AmdCa, chain: ChainKey, now: datetime
) -> None:
    then = now.replace(year=now.year + years)
    refuse(store, chain, pem(ca.ask, ca.ark), then, Category.EXPIRED, "expected one valid at")


ListForger = Callable[[AmdCa, datetime], bytes]


@pytest.mark.parametrize(
    ("forge", "category", "why"),
    [
        (
            lambda ca, now: ca.crl(now, signed_by=checked_in_keys(ProductLine.GENOA).ark),
            Category.CHAIN,
            "signature is not the root's",
        ),
        (lambda ca, now: ca.crl(now, issuer="ARK-Genoa"), Category.CHAIN, "issuer"),
        (lambda ca, now: ca.crl(now, lifetime=None), Category.CHAIN, "when the next one comes"),
        (
            lambda ca, now: ca.crl(now, add=(Extension(oid="2.5.29.28", critical=True, value=der.null()),)),
            Category.CHAIN,
            "critical extension",
        ),
        (lambda ca, now: ca.crl(now)[:-1], Category.MALFORMED, "Milan"),
        (lambda ca, now: ca.crl(now) + b"\0", Category.MALFORMED, "Milan"),
        (lambda ca, now: b"<html>", Category.MALFORMED, "Milan"),
        (lambda ca, now: ca.ask, Category.MALFORMED, "Milan"),
        (lambda ca, now: bytes(70_000), Category.SIZE_LIMIT, "at most"),
        (lambda ca, now: ca.crl(now - 2 * YEARS), Category.EXPIRED, "ended"),
        (lambda ca, now: ca.crl(now + timedelta(seconds=1)), Category.EXPIRED, "begins"),
        (
            lambda ca, now: ca.crl(now - timedelta(days=11)),
            Category.ROLLBACK,
            "expected one issued 2026-11-11 12:00:00 or later",
        ),
    ],
)
def test_ac_117_a_forged_stale_or_older_list_does_not_enter(
    forge: ListForger,
    category: Category,
    why: str,
    filled: CollateralStore,
    ca: AmdCa,
    crl: CrlKey,
    now: datetime,
) -> None:
    refuse(filled, crl, forge(ca, now), now, category, why)


def test_a_list_enters_up_to_its_last_second(filled: CollateralStore, ca: AmdCa, crl: CrlKey, now: datetime) -> None:
    filled.put(crl, ca.crl(now), now + YEARS)
    assert [one.der for one in filled.load((crl,), now).crls] == [ca.crl(now)]
    refuse(filled, crl, ca.crl(now), now + YEARS + timedelta(seconds=1), Category.EXPIRED, "ended")


def test_a_list_of_a_root_that_may_not_sign_lists_does_not_enter(
    store: CollateralStore, ca: AmdCa, chain: ChainKey, crl: CrlKey, now: datetime
) -> None:
    without = ca.with_ark(key_usage=KeyUsage(key_cert_sign=True))
    store.put(chain, pem(without.ask, without.ark), now)
    refuse(store, crl, ca.crl(now), now, Category.CHAIN, "cRLSign")


def test_a_newer_list_takes_the_place_of_an_older(
    filled: CollateralStore, ca: AmdCa, crl: CrlKey, now: datetime
) -> None:
    filled.put(crl, ca.crl(now), now)
    assert filled.load((crl,), now).crls == (Crl(der=ca.crl(now), kind=KeyKind.VCEK),)


def test_an_older_intermediate_does_not_take_the_place_of_a_newer(
    filled: CollateralStore, ca: AmdCa, chain: ChainKey, now: datetime
) -> None:
    older = ca.with_ask(not_before=datetime(2020, 1, 1, tzinfo=now.tzinfo) - timedelta(days=1))
    refuse(filled, chain, pem(older.ask, ca.ark), now, Category.ROLLBACK, "issued")


LeafForger = Callable[[SoftwarePsp], bytes]


@pytest.mark.parametrize(
    ("forge", "category", "why"),
    [
        (
            lambda psp: SoftwarePsp(ProductLine.MILAN, chip_secret=b"another").vek(),
            Category.COLLATERAL_MISMATCH,
            "hardware id",
        ),
        (
            lambda psp: SoftwarePsp(ProductLine.MILAN, tcb=SoftwarePsp(ProductLine.GENOA).reported_tcb).vek(),
            Category.COLLATERAL_MISMATCH,
            "expected TCB",
        ),
        (lambda psp: SoftwarePsp(ProductLine.GENOA).vek(), Category.MALFORMED, "issuer"),
        (
            lambda psp: psp.authorities.leaf(SoftwarePsp(ProductLine.GENOA).identity, spki_of(psp.endorsement_key)),
            Category.COLLATERAL_MISMATCH,
            "expected a Milan VCEK, got a Genoa VCEK",
        ),
        (lambda psp: psp.vek(signed_by=checked_in_keys(ProductLine.GENOA).ask), Category.SIGNATURE, "signature"),
        (lambda psp: psp.vek(common_name="VCEK"), Category.CHAIN, "name"),
        (lambda psp: psp.vek(serial=1), Category.CHAIN, "serial"),
        (lambda psp: psp.authorities.ask, Category.CHAIN, "name"),
        (lambda psp: SoftwarePsp(ProductLine.MILAN, KeyKind.VLEK).vek(), Category.MALFORMED, "issuer"),
        (lambda psp: psp.vek()[:-1], Category.MALFORMED, "Milan"),
        (lambda psp: b"", Category.MALFORMED, "Milan"),
        (lambda psp: psp.vek(not_after=datetime.fromisoformat("2026-06-01T00:00:00Z")), Category.EXPIRED, "ended"),
        (lambda psp: psp.vek(not_before=datetime.fromisoformat("2027-01-01T00:00:00Z")), Category.EXPIRED, "begins"),
    ],
)
def test_ac_117_another_or_a_forged_vcek_does_not_enter(
    forge: LeafForger,
    category: Category,
    why: str,
    filled: CollateralStore,
    psp: SoftwarePsp,
    vcek: VcekKey,
    now: datetime,
) -> None:
    message = refuse(filled, vcek, forge(psp), now, category, why)
    assert message.startswith(f"{vcek}: ")


def test_nothing_enters_without_the_chain_above_it(
    store: CollateralStore, ca: AmdCa, psp: SoftwarePsp, crl: CrlKey, vcek: VcekKey, now: datetime
) -> None:
    vlek_crl = CrlKey(product=ProductLine.MILAN, kind=KeyKind.VLEK)
    for key, data, kind in ((crl, ca.crl(now), "VCEK"), (vlek_crl, ca.crl(now), "VLEK"), (vcek, psp.vek(), "VCEK")):
        refuse(store, key, data, now, Category.UNAVAILABLE, f"^Milan {kind} certificate chain: not in the store")
    with pytest.raises(CollateralError) as caught:
        store.chain(vcek.chain)
    assert caught.value.hint == "cvmproof collateral fetch, or import"


def test_a_list_enters_under_the_other_kinds_chain(filled: CollateralStore, ca: AmdCa, now: datetime) -> None:
    key = CrlKey(product=ProductLine.MILAN, kind=KeyKind.VLEK)
    filled.put(key, ca.crl(now), now)
    assert filled.load((key,), now).crls == (Crl(der=ca.crl(now), kind=KeyKind.VLEK),)


def refuse(store: CollateralStore, key: Wanted, data: bytes, now: datetime, category: Category, why: str) -> str:
    before = store.load((key,), now)
    with pytest.raises(CollateralError, match=why) as caught:
        store.put(key, data, now)
    assert caught.value.category is category
    assert store.load((key,), now) == before
    return str(caught.value)


# What lies on the disk is not believed


def test_ac_117_a_tampered_file_is_seen_and_still_given_out(
    filled: CollateralStore, chain: ChainKey, crl: CrlKey, vcek: VcekKey, now: datetime
) -> None:
    for key in (vcek, crl, chain):
        path = filled.path(key)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        found = filled.look(key, now)
        assert found is not None
        assert found.state is State.BAD
        assert found.is_due(now)
        assert found.why
    loaded = filled.load((chain, crl, vcek), now)
    assert filled.path(crl).read_bytes() in [one.der for one in loaded.crls]
    assert filled.path(vcek).read_bytes() in loaded.certificates


def test_ac_117_a_file_of_another_chip_is_seen(filled: CollateralStore, vcek: VcekKey, now: datetime) -> None:
    filled.path(vcek).write_bytes(SoftwarePsp(ProductLine.MILAN, chip_secret=b"another").vek())
    found = filled.look(vcek, now)
    assert found is not None
    assert (found.state, found.why) == (State.BAD, f"{vcek}: expected this chip's hardware id, got another's")


def test_ac_117_files_moved_between_trust_sets_are_bad(filled: CollateralStore, chain: ChainKey, now: datetime) -> None:
    production = CollateralStore(folder=filled.folder, trust=TrustRoots.production())
    assert production.load((chain,), now) == Collateral()
    filled.path(chain).parents[3].rename(filled.folder / "production")
    found = production.look(chain, now)
    assert found is not None
    assert found.state is State.BAD


def test_a_file_that_is_too_long_is_cut_so_that_it_is_refused(
    filled: CollateralStore, crl: CrlKey, now: datetime
) -> None:
    filled.path(crl).write_bytes(filled.path(crl).read_bytes() + bytes(1_000_000))
    [loaded] = filled.load((crl,), now).crls
    assert len(loaded.der) == 64 * 1024 + 1
    found = filled.look(crl, now)
    assert found is not None
    assert found.state is State.BAD


def test_a_list_that_cannot_be_read_is_not_absent(filled: CollateralStore, crl: CrlKey, now: datetime) -> None:
    filled.path(crl).unlink()
    filled.path(crl).mkdir()
    assert filled.load((crl,), now).crls == (Crl(der=b"", kind=KeyKind.VCEK),)


def test_bad_data_may_be_replaced_by_good(filled: CollateralStore, ca: AmdCa, crl: CrlKey, now: datetime) -> None:
    filled.path(crl).write_bytes(b"garbage")
    filled.put(crl, ca.crl(now - timedelta(days=20)), now)
    found = filled.look(crl, now)
    assert found is not None
    assert found.state is State.FRESH


def test_loading_and_looking_change_nothing(
    filled: CollateralStore, chain: ChainKey, crl: CrlKey, vcek: VcekKey, now: datetime
) -> None:
    before = snapshot(filled.folder)
    filled.load((chain, crl, vcek), now)
    filled.show(now)
    assert snapshot(filled.folder) == before


def snapshot(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_current_lists_come_first(filled: CollateralStore, ca: AmdCa, crl: CrlKey, now: datetime) -> None:
    imported = CrlKey(product=ProductLine.MILAN, kind=None)
    filled.put(imported, ca.crl(now), now)
    later = now - timedelta(days=10) + YEARS + timedelta(seconds=1)
    assert [one.kind for one in filled.load((crl,), now).crls] == [KeyKind.VCEK, None]
    assert [one.kind for one in filled.load((crl,), later - timedelta(seconds=1)).crls] == [KeyKind.VCEK, None]
    assert [one.kind for one in filled.load((crl,), later).crls] == [None, KeyKind.VCEK]


def test_a_list_is_current_from_its_very_issue(filled: CollateralStore, ca: AmdCa, crl: CrlKey, now: datetime) -> None:
    imported = CrlKey(product=ProductLine.MILAN, kind=None)
    filled.put(imported, ca.crl(now - timedelta(days=5)), now)
    filled.put(crl, ca.crl(now), now)
    assert [one.kind for one in filled.load((crl,), now).crls] == [KeyKind.VCEK, None]
    assert [one.kind for one in filled.load((crl,), now - timedelta(seconds=1)).crls] == [None, KeyKind.VCEK]


def test_a_list_that_can_not_be_read_comes_last(filled: CollateralStore, ca: AmdCa, crl: CrlKey, now: datetime) -> None:
    filled.put(CrlKey(product=ProductLine.MILAN, kind=None), ca.crl(now), now)
    filled.path(crl).write_bytes(b"no list")
    assert [one.kind for one in filled.load((crl,), now).crls] == [None, KeyKind.VCEK]


def test_what_lies_loose_is_listed(filled: CollateralStore) -> None:
    assert filled.loose() == ()
    (filled.folder / "ask.pem").touch()
    assert filled.loose() == (filled.folder / "ask.pem",)


# Several at once


def test_ac_117_concurrent_fills_leave_whole_files(
    filled: CollateralStore, ca: AmdCa, crl: CrlKey, now: datetime
) -> None:
    lists = [ca.crl(now - timedelta(hours=hours)) for hours in range(8)]
    seen: set[bytes] = set()

    def write(data: bytes) -> None:
        for _ in range(10):
            try:
                filled.put(crl, data, now)
            except CollateralError as error:
                assert error.category is Category.ROLLBACK  # noqa: PT017 -- an older one came later, as it may here
            seen.update(one.der for one in filled.load((crl,), now).crls)

    threads = [threading.Thread(target=write, args=(data,)) for data in lists]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen <= {*lists, ca.crl(now - timedelta(days=10))}
    assert not list(filled.folder.rglob(".tmp-*"))


def _hold(folder: Path, key: Wanted, ready: "multiprocessing.synchronize.Event") -> None:
    store = CollateralStore(folder=folder, trust=TrustRoots.simulated())
    with store.lock(key, 5):
        ready.set()
        threading.Event().wait(0.3)


@pytest.mark.skipif(os.name == "nt", reason="the lock is the same; starting a process takes longer")
def test_another_process_is_waited_for(store: CollateralStore, crl: CrlKey) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    other = context.Process(target=_hold, args=(store.folder, crl, ready))
    other.start()
    assert ready.wait(20)
    with pytest.raises(CollateralError, match="another process"), store.lock(crl, 0):
        pass
    with store.lock(crl, 10):
        pass
    other.join(10)
    assert other.exitcode == 0


def test_absence_is_remembered_for_five_minutes(store: CollateralStore, vcek: VcekKey, now: datetime) -> None:
    store.expect_not_absent(vcek, now)
    store.note_absent(vcek, now)
    for minutes in (0, 4.9):
        with pytest.raises(CollateralError, match="not asked again before 12:05:00") as caught:
            store.expect_not_absent(vcek, now + timedelta(minutes=minutes))
        assert caught.value.category is Category.UNAVAILABLE
    for minutes in (5, -1):
        store.expect_not_absent(vcek, now + timedelta(minutes=minutes))


def test_what_was_put_is_no_longer_absent(
    filled: CollateralStore, psp: SoftwarePsp, vcek: VcekKey, now: datetime
) -> None:
    filled.note_absent(vcek, now)
    filled.put(vcek, psp.vek(), now)
    filled.expect_not_absent(vcek, now)
