"""Forms of policies that others write are named; ours are not, and no bytes at all raise."""

import json
import time
from pathlib import Path

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.verifier.policy.signing import header, signed_by_hand

from cvmproof.policy.foreign import foreign_form
from cvmproof.policy.reading import POLICY_LIMIT, builtin_bytes, read_policy
from cvmproof.policy.writing import effective_document
from cvmproof_formats.errors import Misuse

RECORDED = {
    "policy_v1_2024-08_9161d306.json": "Cocos policy of 2024-08",
    "policy_v2_2024-11-04_e372cfc2.json": "go-sev-guest check configuration",
    "policy_v2b_2024-11-08_camel_1e285e32.json": "go-sev-guest check configuration",
    "policy_v3_2025-03_67f939fc.json": "Cocos policy of 2025-03 to 2026-03",
    "policy_v4_eat_2026-02_de50b6d2.json": "Cocos policy of 2026-02",
    "policy_v5_camel_2026-03_da31d76c.json": "Cocos policy of 2025-03 to 2026-03",
    "policy_tdx_v1_2025-08_3cec8e20.json": "go-tdx-guest check configuration",
    "policy_tdx_v2_eat_2026-02_de50b6d2.json": "Cocos policy of 2026-02 (JSON, go-tdx-guest",
    "snp_32byte.corim": "CoRIM",
    "snp_nosvn.corim": "CoRIM",
    "snp_svn1.corim": "CoRIM",
    "tdx_default.corim": "CoRIM",
    "snp_svn1_signed.corim": "signed CoRIM",
}


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_policy_is_named_and_none_of_ours(recorded: Path, name: str) -> None:
    data = (recorded / "cocos" / name).read_bytes()
    assert (foreign_form(data) or "").startswith(RECORDED[name])
    with pytest.raises(Misuse):
        read_policy(data, name=name)


MADE = {
    '{"snp_policy": {}}': "Cocos policy of 2024-08",
    '{"snpPolicy": {}, "rootOfTrust": {}}': "Cocos policy of 2024-08",
    '{"policy": {"minimumTcb": "1"}, "rootOfTrust": {}}': "go-sev-guest",
    ' \n{"policy": {}, "root_of_trust": {}}': "go-sev-guest",
    '{"policy": {"headerPolicy": {}}, "rootOfTrust": {}}': "go-tdx-guest",
    '{"policy": {"td_quote_body_policy": {}}}': "go-tdx-guest",
    '{"pcr_values": {}, "policy": {}, "root_of_trust": {}}': "Cocos policy of 2025-03",
    '{"eatValidation": {}, "pcrValues": {}, "policy": {}}': "Cocos policy of 2026-02",
    '{"attestation_policy": "e30="}': "answer of the CVMs API",
    "policy: {\n minimum_guest_svn: 0\n}": "go-sev-guest check configuration or go-tdx-guest",
    "# comment\nroot_of_trust {\n}": "go-sev-guest check configuration or go-tdx-guest",
}


@pytest.mark.parametrize("text", MADE)
def test_json_and_text_of_others_are_named(text: str) -> None:
    assert (foreign_form(text.encode()) or "").startswith(MADE[text])


CBOR = {
    cbor2.dumps(cbor2.CBORTag(501, {0: "id", 1: []})): "CoRIM",
    cbor2.dumps(cbor2.CBORTag(506, b"")): "CoRIM",
    cbor2.dumps({0: "id", 1: None}): "CoRIM",
    b"\xa1\x00\xd8\x25\x50" + bytes(16): "CoRIM",
    b"\xbf\x00\x61a\xff": "CoRIM",
    cbor2.dumps(cbor2.CBORTag(61, cbor2.CBORTag(18, []))): "CBOR Web Token",
    cbor2.dumps(cbor2.CBORTag(98, [])): "COSE_Sign message",
    signed_by_hand(header(h3="application/rim+cbor")): "signed CoRIM",
    signed_by_hand(header(), tag=None): "CBOR of an unknown kind",
    cbor2.dumps({"a": [1, 2.5, None, "x"]}): "CBOR of an unknown kind",
    cbor2.dumps([]): "CBOR of an unknown kind",
    b"\x9f\x5f\x41a\xff\xff": "CBOR of an unknown kind",
}


@pytest.mark.parametrize("data", CBOR)
def test_cbor_of_others_is_named(data: bytes) -> None:
    assert (foreign_form(data) or "").startswith(CBOR[data])


OURS = [
    builtin_bytes("genuine"),
    builtin_bytes("recommended"),
    json.dumps(effective_document(read_policy(builtin_bytes("genuine"), name="p"))).encode(),
    b'{"extends": "builtin:genuine", "valid_for": 60}',
    signed_by_hand(header()),
    signed_by_hand(header(), inside=False),
]


@pytest.mark.parametrize("data", OURS)
def test_our_own_forms_are_not_foreign(data: bytes) -> None:
    assert foreign_form(data) is None


NO_FORM = [
    b"",
    b" ",
    b"{}",
    b"[]",
    b"null",
    b'{"policy": {}, "policy": {}}',
    b'{"policy": {}, "version": 1}',
    b"{",
    b"\xef\xbb\xbf{}",
    b"\xff\xfe{\0}\0",
    b"\x89PNG\r\n\x1a\n",
    b"PK\3\4",
    b"\x80\x04\x95\x10",
    b"policy = { debug = 1 }",
    b"\xa2\x00\x00",
    b"\xd2",
    b"\xd2\x80",
    b"\xb8\x00",
    b"\xb8\x00\x00",
    b"\x9f",
    b"\xff",
    b"\xfc",
    b"\xdf",
    b"\x81\xff",
    b"\x82\x01",
]


@pytest.mark.parametrize("data", NO_FORM)
def test_what_is_no_known_form_is_left_to_the_strict_reader(data: bytes) -> None:
    assert foreign_form(data) in {None, "CBOR of an unknown kind"}
    with pytest.raises(Misuse):
        read_policy(data, name="p")


@given(st.binary(max_size=300))
def test_ac_106_any_bytes_give_an_answer(data: bytes) -> None:
    for hostile in (data, b"{" + data, b"\xd2\x84" + data, b"\xa2\x00" + data, b"\x9f" + data, b"\xd9\x01\xf5" + data):
        assert foreign_form(hostile) is None or foreign_form(hostile)


@given(st.recursive(st.none() | st.text() | st.integers(), lambda i: st.lists(i) | st.dictionaries(st.text(), i)))
def test_any_json_gives_an_answer(value: object) -> None:
    for document in (value, {"policy": value}, {"policy": {"header_policy": value}, "root_of_trust": value}):
        assert foreign_form(json.dumps(document).encode()) is None or isinstance(document, dict)


@given(st.recursive(st.none() | st.text() | st.floats() | st.binary(), st.lists, max_leaves=20))
def test_every_well_formed_item_is_cbor(item: object) -> None:
    assert foreign_form(cbor2.dumps([item])) == "CBOR of an unknown kind"


@pytest.mark.parametrize(
    "data", [b"\x81" * POLICY_LIMIT, b"\x9f" * POLICY_LIMIT, b'{"policy":' * 100_000, b"\n#" * 500_000]
)
def test_ac_106_depth_and_size_take_bounded_time(data: bytes) -> None:
    started = time.monotonic()
    assert foreign_form(data) is None
    assert time.monotonic() - started < 10


def test_what_is_far_too_large_is_not_looked_at() -> None:
    assert foreign_form(cbor2.dumps([bytes(2 * POLICY_LIMIT)])) is None
