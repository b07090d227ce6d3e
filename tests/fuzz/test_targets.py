"""What is fuzzed begins with something that every parser takes, and a parser says no by one of our errors only."""

from dataclasses import replace

import pytest
from fuzz.targets import AT, TARGETS, once, same, seeds

from cvmproof_formats.errors import CvmproofError
from cvmproof_formats.snp.product import ProductLine
from cvmproof_formats.x509 import read_crl
from cvmproof_simulator.ca import AmdCa

SEEDS = seeds()
LIST = AmdCa(ProductLine.GENOA).crl(AT)


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


@pytest.mark.parametrize("data", [b"taken by neither", LIST[:-1]], ids=["other bytes", "a list cut short"])
def test_a_reader_at_once_that_takes_more_is_a_finding(data: bytes) -> None:
    with pytest.raises(AssertionError, match="refused by the strict reader"):
        same(lambda _: read_crl(LIST), read_crl)(data)


def test_a_reader_at_once_that_reads_otherwise_is_a_finding() -> None:
    with pytest.raises(AssertionError, match="strictly as"):
        same(lambda data: replace(read_crl(data), serials=frozenset({5})), read_crl)(LIST)
    assert same(read_crl, read_crl)(LIST) == read_crl(LIST)


def is_taken(name: str, data: bytes) -> bool:
    try:
        TARGETS[name](data)
    except CvmproofError:
        return False
    return True
