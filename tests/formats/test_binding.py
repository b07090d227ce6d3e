"""REPORT_DATA by domain: against vectors, against plain concatenation, and that no two inputs meet."""

import hashlib
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cvmproof_formats.binding import (
    EXPORTER_LABEL,
    SPKI_PREFIX,
    SPKI_SIZE,
    USER_DATA_LIMIT,
    Role,
    Tee,
    channel_report_data,
    key_report_data,
    nonce_report_data,
    user_report_data,
)
from cvmproof_formats.errors import Misuse

VECTORS = json.loads((Path(__file__).parent / "binding_vectors.json").read_text("utf-8"))
NONCE, EKM, SPKI = bytes(range(32)), bytes(range(32, 64)), SPKI_PREFIX + bytes(range(64))


def report_data(vector: dict[str, Any]) -> bytes:
    tee = Tee(vector["tee"])
    if vector["domain"] == "user":
        return user_report_data(tee=tee, uid=vector["uid"], user_data=bytes.fromhex(vector["user_data"]))
    role, nonce = Role(vector["role"]), bytes.fromhex(vector["nonce"])
    if vector["domain"] == "nonce":
        return nonce_report_data(role=role, tee=tee, nonce=nonce)
    spki = bytes.fromhex(vector["spki"])
    if vector["domain"] == "key":
        return key_report_data(role=role, tee=tee, nonce=nonce, spki=spki)
    return channel_report_data(role=role, tee=tee, nonce=nonce, spki=spki, ekm=bytes.fromhex(vector["ekm"]))


def by_hand(vector: dict[str, Any]) -> bytes:
    """The same, written down once more from the specification: length (32 bits, big-endian) and part, in turn."""
    parts = [f"cvmproof/v1/{vector['domain']}".encode()]
    if vector["domain"] == "user":
        uid = vector["uid"]
        parts += [vector["tee"].encode(), bytes([uid >> 24, uid >> 16 & 255, uid >> 8 & 255, uid & 255])]
        parts += [bytes.fromhex(vector["user_data"])]
    else:
        parts += [vector["role"].encode(), vector["tee"].encode(), bytes.fromhex(vector["nonce"])]
        parts += [bytes.fromhex(vector[name]) for name in ("spki", "ekm") if name in vector]
    message = b""
    for part in parts:
        message += bytes([0, 0, len(part) // 256, len(part) % 256])
        message += part
    return hashlib.sha512(message).digest()


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v['domain']}-{v.get('role', v.get('uid'))}-{v['tee']}")
def test_the_vectors_hold(vector: dict[str, Any]) -> None:
    assert report_data(vector).hex() == vector["report_data"]
    assert by_hand(vector).hex() == vector["report_data"]


def test_the_vectors_cover_every_domain_role_and_tee_and_no_two_agree() -> None:
    assert {(v["domain"], v.get("role"), v["tee"]) for v in VECTORS} >= set(
        itertools.product(["channel", "key", "nonce"], ["server", "client"], ["sev-snp", "tdx"])
    )
    assert {v["tee"] for v in VECTORS if v["domain"] == "user"} == {"sev-snp", "tdx"}
    assert len({v["report_data"] for v in VECTORS}) == len(VECTORS)
    assert EXPORTER_LABEL == b"EXPORTER-cvmproof-v1"


spkis = st.binary(min_size=64, max_size=64).map(SPKI_PREFIX.__add__)
blocks = st.binary(min_size=32, max_size=32)
roles, tees, uids = st.sampled_from(Role), st.sampled_from(Tee), st.integers(0, (1 << 32) - 1)
inputs = st.one_of(
    st.fixed_dictionaries({"domain": st.just("nonce"), "role": roles, "tee": tees, "nonce": blocks}),
    st.fixed_dictionaries({"domain": st.just("key"), "role": roles, "tee": tees, "nonce": blocks, "spki": spkis}),
    st.fixed_dictionaries(
        {"domain": st.just("channel"), "role": roles, "tee": tees, "nonce": blocks, "spki": spkis, "ekm": blocks}
    ),
    st.fixed_dictionaries(
        {
            "domain": st.just("user"),
            "tee": tees,
            "uid": st.integers(0, (1 << 32) - 1),
            "user_data": st.binary(max_size=300),
        }
    ),
)


def as_vector(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in values.items()}


@given(inputs)
def test_any_input_gives_what_the_specification_says(values: dict[str, Any]) -> None:
    assert report_data(as_vector(values)) == by_hand(as_vector(values))
    assert len(report_data(as_vector(values))) == 64


@given(inputs, inputs)
def test_no_two_inputs_share_a_value(one: dict[str, Any], other: dict[str, Any]) -> None:
    assume(one != other)
    assert report_data(as_vector(one)) != report_data(as_vector(other))


@given(st.binary(max_size=64).filter(lambda nonce: len(nonce) != 32))
def test_a_nonce_has_exactly_32_bytes(nonce: bytes) -> None:
    with pytest.raises(Misuse, match="nonce: expected exactly 32 bytes"):
        nonce_report_data(role=Role.SERVER, tee=Tee.SEV_SNP, nonce=nonce)


@pytest.mark.parametrize("nonce", [None, "0" * 32, bytearray(32), memoryview(bytes(32))])
def test_a_nonce_is_bytes(nonce: object) -> None:
    with pytest.raises(Misuse, match="nonce: expected exactly 32 bytes"):
        nonce_report_data(role=Role.SERVER, tee=Tee.SEV_SNP, nonce=nonce)  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize(
    "spki", [b"", SPKI[:-1], SPKI + b"\0", bytes(SPKI_SIZE), b"\x30\x5a" + SPKI[2:], SPKI[:26] + b"\x02" + SPKI[27:]]
)
def test_a_key_is_an_uncompressed_point_on_p_256(spki: bytes) -> None:
    with pytest.raises(Misuse, match="SPKI: expected"):
        key_report_data(role=Role.SERVER, tee=Tee.SEV_SNP, nonce=NONCE, spki=spki)
    with pytest.raises(Misuse, match="SPKI: expected"):
        channel_report_data(role=Role.SERVER, tee=Tee.SEV_SNP, nonce=NONCE, spki=spki, ekm=EKM)


@pytest.mark.parametrize("ekm", [b"", EKM[:-1], EKM + b"\0"])
def test_an_exporter_value_has_exactly_32_bytes(ekm: bytes) -> None:
    with pytest.raises(Misuse, match="EKM: expected exactly 32 bytes"):
        channel_report_data(role=Role.SERVER, tee=Tee.SEV_SNP, nonce=NONCE, spki=SPKI, ekm=ekm)


def test_user_data_is_bounded_and_a_uid_is_32_bits() -> None:
    assert user_report_data(tee=Tee.TDX, uid=0, user_data=b"") != user_report_data(tee=Tee.TDX, uid=1, user_data=b"")
    assert user_report_data(tee=Tee.TDX, uid=(1 << 32) - 1, user_data=bytes(USER_DATA_LIMIT))
    with pytest.raises(Misuse, match="at most 4096 bytes, got 4097"):
        user_report_data(tee=Tee.TDX, uid=0, user_data=bytes(USER_DATA_LIMIT + 1))
    for uid in (-1, 1 << 32):
        with pytest.raises(Misuse, match="uid: expected"):
            user_report_data(tee=Tee.TDX, uid=uid, user_data=b"")
