"""What is fuzzed begins with something that every parser takes, and a parser says no by one of our errors only."""

import pytest
from fuzz.targets import TARGETS, once, seeds

from cvmproof_formats.errors import CvmproofError

SEEDS = seeds()


@pytest.mark.parametrize("name", TARGETS)
def test_a_seed_gets_all_the_way_through(name: str) -> None:
    assert any(is_taken(name, seed) for seed in SEEDS)


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_no_seed_of_its_own_is_refused_in_our_own_words(name: str) -> None:
    for seed in SEEDS:
        for data in (seed, seed[:-1], seed[1:], seed[: len(seed) // 2], seed + b"\xff", seed.replace(b"1", b"2")):
            once(name)(data)


def test_another_error_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(data: bytes) -> object:
        return data[len(data)]

    monkeypatch.setitem(TARGETS, "pem", broken)
    with pytest.raises(IndexError):
        once("pem")(b"")


def is_taken(name: str, data: bytes) -> bool:
    try:
        TARGETS[name](data)
    except CvmproofError:
        return False
    return True
