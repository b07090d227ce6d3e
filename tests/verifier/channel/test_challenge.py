import secrets

import pytest
from tests.verifier.channel.leaves import key, leaf, read_leaf

from cvmproof.channel import challenge as module
from cvmproof.channel.challenge import TIME_TO_LIVE, Challenge
from cvmproof.errors import CvmproofError, EvidenceError, Misuse
from cvmproof.freshness import ExpectedNonce, ExpectedReportData
from cvmproof.live import READER, ExpectedChannel, ExpectedKey
from cvmproof_formats.binding import Role, Tee, nonce_report_data
from cvmproof_formats.errors import Category

LEAF = read_leaf(leaf(key(b"agent")))


class Clock:
    """A clock that goes as told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_challenge_is_answered_once_and_in_time() -> None:
    clock = Clock()
    challenge = Challenge(monotonic=clock)
    assert challenge.remaining == TIME_TO_LIVE == 60
    clock.now += TIME_TO_LIVE - 0.001
    assert challenge.take() == challenge.nonce


def test_ac_009_ac_062_a_second_answer_to_a_nonce_is_refused() -> None:
    challenge = Challenge()
    challenge.take()
    with pytest.raises(EvidenceError, match="a nonce is used once") as caught:
        challenge.take()
    assert caught.value.category is Category.FRESHNESS


def test_ac_062_an_answer_that_took_too_long_is_refused() -> None:
    clock = Clock()
    challenge = Challenge(monotonic=clock)
    clock.now += TIME_TO_LIVE
    with pytest.raises(EvidenceError, match="older than 60 s") as caught:
        challenge.take()
    assert caught.value.category is Category.FRESHNESS


def test_ac_062_a_nonce_that_was_never_issued_is_refused_and_ends_the_challenge() -> None:
    challenge = Challenge()
    with pytest.raises(EvidenceError, match="never sent") as caught:
        challenge.take(bytes(32))
    assert caught.value.category is Category.FRESHNESS
    with pytest.raises(EvidenceError, match="used once"):
        challenge.take(challenge.nonce)
    other = Challenge()
    assert other.take(other.nonce) == other.nonce


def test_ac_062_a_challenge_that_failed_is_used_up() -> None:
    clock = Clock()
    challenge = Challenge(monotonic=clock)
    clock.now += TIME_TO_LIVE
    with pytest.raises(EvidenceError, match="older"):
        challenge.take()
    clock.now -= TIME_TO_LIVE
    with pytest.raises(EvidenceError, match="used once"):
        challenge.take()


@pytest.mark.parametrize("value", [None, b"", bytes(31), bytes(33), "0" * 32, bytearray(32)])
def test_ac_063_an_expected_nonce_of_another_shape_is_refused_before_anything_is_read(value: object) -> None:
    for expect in (
        lambda: ExpectedNonce(value),  # type: ignore[arg-type]  # that is the point
        lambda: ExpectedReportData(value),  # type: ignore[arg-type]  # that is the point
        lambda: ExpectedKey(reader=READER, role=Role.SERVER, nonce=value, leaf=LEAF),  # type: ignore[arg-type]  # that is the point
        lambda: ExpectedChannel(reader=READER, role=Role.SERVER, nonce=value, leaf=LEAF, ekm=bytes(32)),  # type: ignore[arg-type]  # that is the point
        lambda: ExpectedChannel(reader=READER, role=Role.SERVER, nonce=bytes(32), leaf=LEAF, ekm=value),  # type: ignore[arg-type]  # that is the point
    ):
        with pytest.raises(Misuse, match="exactly") as caught:
            expect()
        assert caught.value.category is Category.POLICY_INVALID


@pytest.mark.parametrize("nonce", [b"n", b"n" * 31, b"n" * 31 + b"\0\0"])
def test_ac_066_a_nonce_that_zeros_could_pad_is_no_nonce(nonce: bytes) -> None:
    with pytest.raises(Misuse, match="exactly 32 bytes"):
        nonce_report_data(role=Role.SERVER, tee=Tee.SEV_SNP, nonce=nonce)
    padded = (b"n" * 31).ljust(32, b"\0")
    assert nonce_report_data(role=Role.SERVER, tee=Tee.SEV_SNP, nonce=padded) != padded + bytes(32)


def test_ac_068_a_hundred_thousand_nonces_are_all_different() -> None:
    nonces = {Challenge().nonce for _ in range(100_000)}
    assert len(nonces) == 100_000
    assert {len(nonce) for nonce in nonces} == {32}


@pytest.mark.parametrize("constant", [bytes(32), b"\x01" * 32, bytes(31), b""])
def test_ac_068_a_random_source_that_repeats_itself_is_our_error(
    constant: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "token_bytes", lambda _: constant)
    with pytest.raises(CvmproofError, match="nothing can be verified with it") as caught:
        _ = Challenge(), Challenge()
    assert caught.value.category is Category.INTERNAL


def test_what_is_remembered_of_nonces_is_bounded() -> None:
    for _ in range(2 * module._REMEMBERED):
        Challenge()
    assert len(module._recent) == len(module._recent_set) == module._REMEMBERED


def test_a_challenge_does_not_show_its_nonce() -> None:
    challenge = Challenge()
    assert challenge.nonce.hex() not in repr(challenge)
    assert "s left" in repr(challenge)
    challenge.take()
    assert "used" in repr(challenge)
