"""A pattern is compiled when it is used, and used when that pays."""

import re

import pytest
from tests.formats.at_once import outcome

from cvmproof_formats.pattern import USES_BEFORE, Pattern
from cvmproof_formats.tdx import certificate
from cvmproof_formats.tdx.certificate import read_intel_certificate
from cvmproof_formats.x509 import read_certificate
from cvmproof_simulator.tdx.ca import IntelCa


def test_it_matches_as_what_it_is_made_of() -> None:
    pattern = Pattern(b"a(.)", re.DOTALL)
    found = pattern.compiled.fullmatch(b"a\n")
    assert found is not None
    assert found[1] == b"\n"
    assert pattern.compiled is pattern.compiled
    assert Pattern("a(.)").compiled.fullmatch("a\n") is None


def test_it_pays_once_it_was_wanted_often() -> None:
    pattern = Pattern("a")
    assert [pattern.pays() for _ in range(USES_BEFORE + 2)] == [*(False,) * USES_BEFORE, True, True]


def test_what_is_read_is_the_same_before_it_pays_and_after(monkeypatch: pytest.MonkeyPatch) -> None:
    root, used = IntelCa().root, []
    fresh = Pattern(certificate._CERTIFICATE._text, re.DOTALL)
    monkeypatch.setattr(certificate, "_CERTIFICATE", fresh)
    for _ in range(USES_BEFORE + 1):
        used.append("compiled" in vars(fresh))
        assert outcome(read_intel_certificate, root) == outcome(read_certificate, root)
    assert (any(used), "compiled" in vars(fresh)) == (False, True)
