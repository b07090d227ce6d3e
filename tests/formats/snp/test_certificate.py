"""AMD's certificates and lists are read the same before their patterns pay and after."""

from collections.abc import Callable
from datetime import UTC, datetime
from types import ModuleType
from unittest.mock import Mock, call

import pytest
from tests.formats.at_once import outcome

from cvmproof_formats.pattern import USES_BEFORE, Uses
from cvmproof_formats.snp import certificate, certificate_pattern, crl_pattern
from cvmproof_formats.snp.certificate import read_amd_certificate, read_amd_crl
from cvmproof_formats.snp.product import ProductLine
from cvmproof_formats.x509 import read_certificate, read_crl
from cvmproof_simulator.ca import AmdCa
from cvmproof_simulator.psp import SoftwarePsp

CA = AmdCa(ProductLine.MILAN)
LEAF, LIST = SoftwarePsp(ProductLine.MILAN).vek(), CA.crl(datetime(2026, 11, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("read", "strict", "where", "data"),
    [
        (read_amd_certificate, read_certificate, certificate_pattern, LEAF),
        (read_amd_crl, read_crl, crl_pattern, LIST),
    ],
    ids=["a certificate", "a list"],
)
def test_what_comes_often_is_read_at_once(
    read: Callable[[bytes], object],
    strict: Callable[[bytes], object],
    where: ModuleType,
    data: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_once = Mock(wraps=where.read_at_once)
    monkeypatch.setattr(where, "read_at_once", at_once)
    monkeypatch.setattr(certificate, "_CERTIFICATES", Uses())
    monkeypatch.setattr(certificate, "_LISTS", Uses())
    for _ in range(USES_BEFORE + 2):
        assert outcome(read, data) == outcome(strict, data)
    assert at_once.call_args_list == [call(data), call(data)]


@pytest.mark.parametrize("data", [CA.ark, LEAF[:-1], LEAF + b"\0", b"", bytes(9000)], ids=len)
def test_what_is_not_read_at_once_is_read_or_refused_as_ever(data: bytes) -> None:
    for _ in range(USES_BEFORE + 2):
        assert outcome(read_amd_certificate, data) == outcome(read_certificate, data)
        assert outcome(read_amd_crl, data) == outcome(read_crl, data)
