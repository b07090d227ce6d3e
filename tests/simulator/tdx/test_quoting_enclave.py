"""Quotes are well-formed and verify down to the root; each forgery breaks what it says, and nothing else."""

from collections.abc import Callable
from dataclasses import fields
from typing import get_type_hints

import dcap_qvl  # type: ignore[import-untyped]  # it brings no types
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from cvmproof_formats.errors import Malformed
from cvmproof_formats.tdx.body import BodyType, TdBody15
from cvmproof_formats.tdx.certification_data import read_pck_chain
from cvmproof_formats.tdx.p256 import key_spki, signature_der
from cvmproof_formats.tdx.qe_report import EnclaveReport, attestation_key_report_data
from cvmproof_formats.tdx.quote import Quote, read_quote
from cvmproof_formats.x509 import read_certificate
from cvmproof_simulator.psp import derive_key
from cvmproof_simulator.tdx.ecdsa import raw_key
from cvmproof_simulator.tdx.platform import SoftwarePlatform, chain
from cvmproof_simulator.tdx.quoting_enclave import (
    _BODY,
    _HEADER,
    _QE,
    BodyFields,
    HeaderFields,
    QuoteChanges,
    _ReportFields,
    quote,
)
from cvmproof_simulator.tdx.td import SoftwareTd

PLATFORM = SoftwarePlatform()
DATA = bytes(range(64))
BODY = SoftwareTd(platform=PLATFORM).body(DATA)
OTHER_KEY = derive_key(b"somebody else", curve="P-256")
KINDS = [(4, 2), (5, 2), (5, 3)]


def holds(spki: bytes, signature: bytes, message: bytes) -> bool:
    key = load_der_public_key(spki)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    try:
        key.verify(signature_der(signature), message, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def broken(data: bytes) -> set[str]:
    """What does not hold of a quote."""
    got = read_quote(data)
    leaf = read_certificate(read_pck_chain(got.qe.pck_chain)[0])
    vouched = attestation_key_report_data(
        attestation_key=got.attestation_key, authentication_data=got.qe.authentication_data
    )
    held = {
        "quote": holds(key_spki(got.attestation_key), got.signature, got.signed),
        "qe report": holds(leaf.spki, got.qe.signature, got.qe.signed),
        "binding": got.qe.report.report_data == vouched,
        "chain": read_pck_chain(got.qe.pck_chain) == PLATFORM.certificates(),
    }
    return {name for name, holding in held.items() if not holding}


@pytest.mark.parametrize(("version", "body_type"), KINDS)
def test_a_quote_is_read_back_and_verifies(version: int, body_type: int) -> None:
    data = quote(PLATFORM, BODY, version=version, body_type=body_type)
    got = read_quote(data)
    assert (got.header.version, got.body_type) == (version, body_type)
    assert got.body == (BODY if body_type == BodyType.TD_1_5 else type(got.body).parse(BODY.build()[:584]))
    assert got.header.user_data == PLATFORM.qe_id + bytes(4)
    assert got.qe.report.isv_svn == PLATFORM.qe_svn
    assert broken(data) == set()


def test_version_5_has_the_larger_body_unless_told_otherwise() -> None:
    assert read_quote(quote(PLATFORM, BODY)).body_type is BodyType.TD_1_0
    assert read_quote(quote(PLATFORM, BODY, version=5)).body_type is BodyType.TD_1_5


@pytest.mark.parametrize(("version", "body_type"), KINDS)
def test_somebody_elses_parser_takes_it(version: int, body_type: int) -> None:
    got = dcap_qvl.parse_quote(quote(PLATFORM, BODY, version=version, body_type=body_type))
    assert (got.header.version, got.fmspc().lower(), got.ca()) == (version, PLATFORM.fmspc.hex(), "platform")
    assert got.report.mr_td == BODY.mr_td
    assert got.report.report_data == DATA


def test_the_same_arguments_give_the_same_bytes() -> None:
    assert quote(PLATFORM, BODY, version=5) == quote(SoftwarePlatform(), BODY, version=5)


def test_it_is_as_long_as_real_ones() -> None:
    assert 4800 < len(quote(PLATFORM, BODY)) < 5100


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"signed_by": OTHER_KEY}, {"quote"}),
        ({"signature": bytes(64)}, {"quote"}),
        ({"attestation_key": raw_key(OTHER_KEY)}, {"quote"}),
        ({"attestation_key": raw_key(OTHER_KEY), "signed_by": OTHER_KEY}, set()),
        ({"qe_signed_by": OTHER_KEY}, {"qe report"}),
        ({"qe_signature": bytes(64)}, {"qe report"}),
        ({"qe_report_data": bytes(64)}, {"binding"}),
        ({"authentication_data": b"other"}, set()),
        ({"pck_chain": chain(*SoftwarePlatform(secret=b"x").certificates())}, {"chain", "qe report"}),
        ({"pck_chain": chain(*PLATFORM.certificates(serial=1))}, {"chain"}),
        ({"td_attributes": 1, "rtmr3": b"\7" * 48, "user_data": b"\1" * 20, "qe_isv_svn": 0}, set()),
    ],
)
def test_a_forgery_breaks_what_it_says(changes: QuoteChanges, expected: set[str]) -> None:
    assert broken(quote(PLATFORM, BODY, version=5, **changes)) == expected


CHANGED: list[tuple[QuoteChanges, Callable[[Quote], object]]] = [
    ({"td_attributes": 1}, lambda got: got.body.td_attributes == 1),
    ({"mr_td": b"\7" * 48}, lambda got: got.body.mr_td == b"\7" * 48),
    ({"tee_tcb_svn2": b"\7" * 16}, lambda got: got.current_tee_tcb_svn == b"\7" * 16),
    ({"mr_service_td": b"\7" * 48}, lambda got: isinstance(got.body, TdBody15) and any(got.body.mr_service_td)),
    ({"user_data": b"\7" * 20}, lambda got: got.header.user_data == b"\7" * 20),
    ({"qe_mr_signer": b"\7" * 32}, lambda got: got.qe.report.mr_signer == b"\7" * 32),
    ({"qe_attributes": b"\7" * 16}, lambda got: got.qe.report.attributes == b"\7" * 16),
    ({"authentication_data": b""}, lambda got: got.qe.authentication_data == b""),
]


@pytest.mark.parametrize(("changes", "holds"), CHANGED, ids=[next(iter(changes)) for changes, _ in CHANGED])
def test_a_field_is_one_argument(changes: QuoteChanges, holds: Callable[[Quote], object]) -> None:
    assert not holds(read_quote(quote(PLATFORM, BODY, version=5)))
    assert holds(read_quote(quote(PLATFORM, BODY, version=5, **changes)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"attestation_key_type": 3}, "attestation key type"),
        ({"tee_type": 0}, "TEE type"),
        ({"qe_vendor_id": bytes(16)}, "QE vendor id"),
        ({"body_type": 1}, "SGX"),
        ({"body_type": 4}, "service TD extension"),
        ({"body_size": 584}, "size of a body of type 3"),
        ({"inner_type": 4}, "without its chain"),
        ({"outer_type": 5}, "certification data: type"),
        ({"certification": b"\6\0\0\0\0\0"}, "QE report"),
    ],
)
def test_what_no_quote_may_say_can_be_said(changes: QuoteChanges, message: str) -> None:
    with pytest.raises(Malformed, match=message):
        read_quote(quote(PLATFORM, BODY, version=5, **changes))


@pytest.mark.parametrize("version", [3, 6])
def test_another_version_can_be_stated(version: int) -> None:
    with pytest.raises(Malformed, match="version: expected 4 or 5"):
        read_quote(quote(PLATFORM, BODY, version=version))


def test_a_field_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(Malformed, match="mr_td: expected 48 bytes"):
        quote(PLATFORM, BODY, mr_td=b"short")


def test_every_field_can_be_changed() -> None:
    assert set(get_type_hints(HeaderFields)) == _HEADER
    assert set(get_type_hints(BodyFields)) == _BODY - {"report_data"}
    assert set(get_type_hints(_ReportFields)) == {field.name for field in fields(EnclaveReport)}
    assert set(get_type_hints(QuoteChanges)) >= _HEADER | _QE | set(get_type_hints(BodyFields))
