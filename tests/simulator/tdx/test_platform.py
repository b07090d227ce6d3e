from dataclasses import replace

import pytest

from cvmproof_formats.pem import read_pem
from cvmproof_formats.tdx.certification_data import read_pck_chain
from cvmproof_formats.tdx.hierarchy import Ca
from cvmproof_formats.tdx.pck import read_pck
from cvmproof_formats.tdx.tcb_status import TcbStatus
from cvmproof_formats.x509 import read_certificate
from cvmproof_simulator.psp import derive_key
from cvmproof_simulator.tdx.platform import PCESVNS, QE_SVNS, SoftwarePlatform, chain

PLATFORM = SoftwarePlatform()
OTHER = SoftwarePlatform(secret=b"another")


def test_another_secret_is_another_machine() -> None:
    for name in ("ppid", "instance_id", "qe_id", "pck_key", "attestation_key", "pck_serial"):
        assert getattr(PLATFORM, name) != getattr(OTHER, name)
    assert (len(PLATFORM.ppid), len(PLATFORM.instance_id), len(PLATFORM.qe_id)) == (16, 16, 16)


def test_the_same_machine_is_always_the_same() -> None:
    first = PLATFORM.pck()
    derive_key.cache_clear()
    assert SoftwarePlatform().pck() == first


def test_another_tcb_is_another_pck_key_and_another_certificate() -> None:
    older = PLATFORM.rated(TcbStatus.OUT_OF_DATE)
    assert (older.pck_key, older.pck_serial) != (PLATFORM.pck_key, PLATFORM.pck_serial)
    assert older.ppid == PLATFORM.ppid
    assert older.identity.pcesvn == PCESVNS[TcbStatus.OUT_OF_DATE]


def test_another_quoting_enclave_is_another_attestation_key() -> None:
    older = PLATFORM.with_quoting_enclave(TcbStatus.REVOKED)
    assert older.qe_svn == QE_SVNS[TcbStatus.REVOKED]
    assert older.attestation_key != PLATFORM.attestation_key
    assert older.pck() == PLATFORM.pck()


def test_a_status_that_a_quoting_enclave_never_has_is_refused() -> None:
    with pytest.raises(KeyError, match="SWHardeningNeeded"):
        PLATFORM.with_quoting_enclave(TcbStatus.SW_HARDENING_NEEDED)


def test_only_the_platform_ca_says_which_machine_it_is_as_a_whole() -> None:
    assert PLATFORM.identity.platform is not None
    assert PLATFORM.identity.platform.instance_id == PLATFORM.instance_id
    single = replace(PLATFORM, ca=Ca.PROCESSOR)
    assert single.identity.platform is None
    assert read_pck(read_certificate(single.pck())).ppid == PLATFORM.ppid


def test_the_chain_ends_with_a_zero_byte_as_in_most_quotes() -> None:
    data = PLATFORM.pck_chain()
    assert read_pck_chain(data) == PLATFORM.certificates()
    assert data == chain(*PLATFORM.certificates())
    assert read_pem(data[:-1]) == PLATFORM.certificates()
    assert data[-1] == 0


def test_a_field_of_the_certificate_is_one_argument() -> None:
    assert read_certificate(PLATFORM.pck(serial=9)).serial == 9
    assert read_certificate(PLATFORM.certificates(serial=9)[0]).serial == 9
    assert read_certificate(read_pck_chain(PLATFORM.pck_chain(serial=9))[0]).serial == 9


def test_it_says_that_it_is_simulated() -> None:
    assert "SIMULATED" in repr(PLATFORM)
