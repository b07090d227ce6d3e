"""The host's certificates: DER or PEM, untrusted; what can't be read is left out, and costs nothing else."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof_agent.devices.snp.host_certificates import certificates_in
from cvmproof_formats.pem import write_pem
from cvmproof_formats.snp.certificate_table import ARK, ASK, CRL, VCEK, TableEntry, build_certificate_table
from cvmproof_formats.snp.product import ProductLine
from cvmproof_simulator.psp import SoftwarePsp

CHAIN = SoftwarePsp(ProductLine.GENOA).certificates()


def table(*entries: tuple[str, bytes]) -> bytes:
    return build_certificate_table(tuple(TableEntry(guid=guid, data=data) for guid, data in entries))


FULL = table((ARK, CHAIN[2]), (ASK, CHAIN[1]), (VCEK, CHAIN[0]))


@pytest.mark.parametrize("padding", [0, 1, 4096])
def test_certificates_come_in_the_order_of_the_table(padding: int) -> None:
    assert certificates_in(FULL + bytes(padding), source="x") == CHAIN[::-1]


@pytest.mark.parametrize("empty", [b"", bytes(24), bytes(16384)])
def test_a_host_may_have_none(empty: bytes) -> None:
    assert certificates_in(empty, source="x") == ()


def test_pem_becomes_der_and_a_chain_in_one_entry_becomes_several() -> None:
    chain = write_pem(CHAIN[1]) + write_pem(CHAIN[2])
    assert certificates_in(table((VCEK, write_pem(CHAIN[0])), (ASK, chain)), source="x") == CHAIN


def test_what_is_no_certificate_is_left_out() -> None:
    other = "9f4116cd-c503-4f5a-8f6f-fb68882f4ce2"
    assert certificates_in(table((CRL, b"0crl"), (other, b"0xyz"), (VCEK, CHAIN[0])), source="x") == CHAIN[:1]


def test_ac_010_a_table_that_lies_costs_the_certificates_and_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    lying = FULL[:16] + (1 << 20).to_bytes(4, "little") + FULL[20:]
    with caplog.at_level(logging.WARNING):
        assert certificates_in(lying, source="here") == ()
    assert "here: left out the host's certificates" in caplog.text


def test_an_entry_that_can_not_be_read_costs_itself(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert certificates_in(table((VCEK, CHAIN[0]), (ASK, b"-----BEGIN")), source="here") == CHAIN[:1]
    assert f"here: {ASK}: left out a certificate" in caplog.text


@given(st.binary(max_size=300))
def test_any_table_gives_certificates_or_none(data: bytes) -> None:
    assert all(certificates_in(data, source="x"))
