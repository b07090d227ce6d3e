"""Where high-water marks are kept: raised by what was verified, never lowered, and never guessed."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.verifier.snp.situation import ISSUED, NOW, Situation, attackers_keys, ids_of_no

from cvmproof.appraisal import Appraisal, Verdict
from cvmproof.appraise import appraise
from cvmproof.errors import Category, CollateralError, Misuse
from cvmproof.high_water_store import HighWaterStore
from cvmproof.trust import TrustRoots

GOOD = Situation()
OLDER = replace(GOOD, crl={"this_update": ISSUED - timedelta(days=1)})


@pytest.fixture
def store(tmp_path: Path) -> HighWaterStore:
    return HighWaterStore(folder=tmp_path / "high-water", trust=TrustRoots.simulated())


def judged(situation: Situation, store: HighWaterStore) -> Appraisal:
    return appraise(
        situation.evidence,
        policies=[situation.policy],
        trust=TrustRoots.simulated(),
        freshness=situation.freshness,
        now=NOW,
        collateral=situation.collateral,
        high_water=store.read(),
    )


def test_an_older_list_is_refused_once_a_newer_one_was_verified_ac_042(store: HighWaterStore) -> None:
    assert judged(OLDER, store).verdict is Verdict.ACCEPTED
    store.raise_by(judged(GOOD, store))
    assert judged(GOOD, store).verdict is Verdict.ACCEPTED
    assert ids_of_no(judged(OLDER, store)) == ["snp.crl.rollback"]


def test_nothing_falls_by_what_is_older(store: HighWaterStore) -> None:
    store.raise_by(judged(GOOD, store))
    written = store.path.read_bytes()
    store.raise_by(judged(OLDER, store))
    assert store.path.read_bytes() == written


def test_what_was_rejected_for_something_else_raises_marks_as_well(store: HighWaterStore) -> None:
    rejected = judged(replace(GOOD, report={"policy": 0xB0000}), store)
    assert rejected.verdict is Verdict.REJECTED
    store.raise_by(rejected)
    assert ids_of_no(judged(OLDER, store)) == ["snp.crl.rollback"]


@pytest.mark.parametrize(
    "unverified",
    [
        replace(GOOD, crl={"signed_by": attackers_keys(GOOD.product).ark}),
        replace(GOOD, without=frozenset({"root"})),
        replace(GOOD, without=frozenset({"crl"})),
    ],
    ids=["signed by somebody else", "without a root", "without a list"],
)
def test_what_was_not_verified_raises_nothing(store: HighWaterStore, unverified: Situation) -> None:
    store.raise_by(judged(unverified, store))
    assert not store.path.exists()


def test_marks_are_of_one_trust_set(store: HighWaterStore) -> None:
    store.raise_by(judged(GOOD, store))
    other = HighWaterStore(folder=store.folder, trust=TrustRoots.production())
    assert other.read().marks == {}
    with pytest.raises(Misuse, match="high-water marks"):
        appraise(
            GOOD.evidence,
            policies=[GOOD.policy],
            trust=TrustRoots.simulated(),
            freshness=GOOD.freshness,
            now=NOW,
            high_water=other.read(),
        )


def test_without_marks_nothing_is_asked_about_them() -> None:
    asked = {check.id for check in GOOD.appraise().checks}
    assert "snp.crl.rollback" not in asked


def test_a_file_in_which_any_byte_changed_is_not_read(store: HighWaterStore) -> None:
    store.raise_by(judged(GOOD, store))
    written = store.path.read_bytes()
    damaged = [written[:i] + bytes([written[i] ^ 1]) + written[i + 1 :] for i in range(len(written))]
    for data in (*damaged, b"", written[:-1], written + b" "):
        store.path.write_bytes(data)
        with pytest.raises(CollateralError) as caught:
            store.read()
        assert caught.value.category is Category.MALFORMED
        assert str(store.path) in caught.value.hint


def test_of_many_at_once_the_newest_stays(store: HighWaterStore) -> None:
    situations = [replace(GOOD, crl={"this_update": ISSUED + timedelta(hours=hour)}) for hour in range(8)]
    appraisals = [judged(situation, store) for situation in situations]
    threads = [threading.Thread(target=store.raise_by, args=(appraisal,)) for appraisal in appraisals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    (mark,) = store.read().marks.values()
    assert mark.issued == (ISSUED + timedelta(hours=7)).astimezone(UTC)
    assert mark.issued < datetime.now(UTC)


def test_a_folder_that_others_may_write_to_is_refused(store: HighWaterStore) -> None:
    store.raise_by(judged(GOOD, store))
    store.folder.chmod(0o777)
    with pytest.raises(CollateralError):
        store.read()
