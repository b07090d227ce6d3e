"""JSON that Intel signs: exactly the signed bytes are cut out, and read without repairing anything."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.tdx import signed_json as sj
from cvmproof_formats.tdx.authority import MAXIMUM_RESPONSE
from cvmproof_formats.tdx.signed_json import Signed, build_signed, read_body, read_signed

SIGNATURE = bytes(range(64))
BODY = b'{"id":"TDX","levels":[{"svn":1},{"svn":2}]}'
RESPONSE = build_signed("tcbInfo", Signed(body=BODY, signature=SIGNATURE))
NO_NAMES = frozenset[str]()


def test_a_response_is_cut_into_the_signed_bytes_and_their_signature() -> None:
    assert b'{"tcbInfo":%s,"signature":"%s"}' % (BODY, SIGNATURE.hex().encode()) == RESPONSE
    assert read_signed(RESPONSE, "tcbInfo") == Signed(body=BODY, signature=SIGNATURE)


@pytest.mark.parametrize("space", [b" ", b"\n", b"\r\n\t "])
def test_ac_052_space_around_the_signed_bytes_is_not_part_of_them_and_space_inside_is(space: bytes) -> None:
    spaced = BODY.replace(b":", b":" + space)
    hexadecimal = SIGNATURE.hex().upper().encode()
    parts = (b"{", b'"tcbInfo"', b":", spaced, b",", b'"signature"', b":", b'"%s"' % hexadecimal, b"}")
    got = read_signed(space + space.join(parts) + space, "tcbInfo")
    assert got == Signed(body=spaced, signature=SIGNATURE)
    assert read_body(got.body, "tcbInfo") == read_body(BODY, "tcbInfo")


HEX = SIGNATURE.hex().encode()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(BODY, id="no envelope"),
        pytest.param(RESPONSE[:-1], id="cut"),
        pytest.param(RESPONSE + b"x", id="text behind"),
        pytest.param(RESPONSE + b"\0", id="NUL behind"),
        pytest.param(b"\xef\xbb\xbf" + RESPONSE, id="byte order mark"),
        pytest.param(RESPONSE.replace(b"tcbInfo", b"enclaveIdentity"), id="another object"),
        pytest.param(b'{"signature":"%s","tcbInfo":%s}' % (HEX, BODY), id="other order"),
        pytest.param(b'{"tcbInfo":%s}' % BODY, id="no signature"),
        pytest.param(b'{"tcbInfo":%s,"signature":"%s"}' % (BODY, HEX[:-1]), id="127 digits"),
        pytest.param(b'{"tcbInfo":%s,"signature":"%s"}' % (BODY, HEX + b"0"), id="129 digits"),
        pytest.param(b'{"tcbInfo":%s,"signature":"%s"}' % (BODY, b"g" + HEX[1:]), id="no digit"),
        pytest.param(b'{"tcbInfo":%s,"signature":"%s"}' % (b"[]", HEX), id="a list"),
        pytest.param(b'{"tcbInfo":%s,"signature":"%s","signature":"%s"}' % (BODY, HEX, HEX), id="signature twice"),
        pytest.param(b'{"tcbInfo":%s,"signature":"%s","x":1}' % (BODY, HEX), id="another name"),
        pytest.param(b'{"x":1,"tcbInfo":%s,"signature":"%s"}' % (BODY, HEX), id="another name first"),
        pytest.param("{}".encode("utf-16"), id="UTF-16"),
    ],
)
def test_a_response_in_another_form_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed, match="tcbInfo: expected"):
        read_signed(data, "tcbInfo")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b'{"tcbInfo":%s,"tcbInfo":%s,"signature":"%s"}' % (BODY, BODY, HEX), id="object twice"),
        pytest.param(RESPONSE + RESPONSE, id="response twice"),
        pytest.param(b'{"tcbInfo":%s,"x":{},"signature":"%s"}' % (BODY, HEX), id="a name between"),
    ],
)
def test_ac_053_what_stands_between_object_and_signature_makes_the_object_none(data: bytes) -> None:
    with pytest.raises(Malformed, match="strict JSON"):
        read_body(read_signed(data, "tcbInfo").body, "tcbInfo")


def test_ac_053_a_signature_inside_of_the_object_does_not_end_it() -> None:
    inner = b'{"a":{"b":1,"signature":"%s"}}' % HEX
    assert read_signed(build_signed("tcbInfo", Signed(body=inner, signature=bytes(64))), "tcbInfo").body == inner


@pytest.mark.parametrize("size", [MAXIMUM_RESPONSE, MAXIMUM_RESPONSE + 1])
def test_ac_108_a_response_has_a_limit(size: int) -> None:
    data = RESPONSE + b" " * (size - len(RESPONSE))
    body = BODY + b" " * (size - len(BODY))
    if size == MAXIMUM_RESPONSE:
        assert read_signed(data, "tcbInfo").body == BODY
        assert read_body(body, "x")
        return
    for read in (read_signed, read_body):
        with pytest.raises(Malformed, match="at most 262144 bytes") as caught:
            read(data if read is read_signed else body, "tcbInfo")
        assert caught.value.category is Category.SIZE_LIMIT


@pytest.mark.parametrize("piece", [b"}", b"} ", b'},"signature":"', b"{", b'"', b" ", b'},"signature" : "' + HEX])
def test_ac_118_a_hostile_envelope_takes_no_time(piece: bytes) -> None:
    inside = piece * ((MAXIMUM_RESPONSE - 400) // len(piece))
    for data in (b'{"tcbInfo":{' + inside, b'{"tcbInfo":{' + inside + RESPONSE[-145:] + b" "):
        with suppress(Malformed):
            # Spaces are all that may stand there: an empty object.
            assert read_body(read_signed(data, "tcbInfo").body, "tcbInfo") == ()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"a":NaN}', id="NaN"),
        pytest.param(b'{"a":-Infinity}', id="infinity"),
        pytest.param(b'{"a":1}x', id="text behind"),
        pytest.param(b'{"a":1,}', id="comma"),
        pytest.param(b"{'a':1}", id="other quotes"),
        pytest.param(b'{"a":01}', id="leading zero"),
        pytest.param(b'{"a":"\xff"}', id="not UTF-8"),
        pytest.param(b'{"a":"\n"}', id="control character"),
        pytest.param(b'{"a":1}/**/', id="comment"),
        pytest.param(b"\xef\xbb\xbf{}", id="byte order mark"),
        pytest.param(b"[" * 100_000, id="deep list"),
        pytest.param(b'{"a":' * 40_000, id="deep object"),
    ],
)
def test_ac_053_what_is_not_strict_json_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed, match="strict JSON"):
        read_body(body, "tcbInfo")


def value(text: str) -> object:
    return read_body(text.encode(), "x")


def test_ac_053_a_name_that_stands_twice_is_refused() -> None:
    both = frozenset({"a", "b"})
    assert sj.members(value('{"a":1,"b":2}'), "x", both) == {"a": b"1", "b": b"2"}
    for text in ('{"a":1,"b":2,"a":1}', '{"a":1,"b":2,"\\u0061":1}'):
        with pytest.raises(Malformed, match="each name once, got one twice"):
            sj.members(value(text), "x", both)


def test_names_are_those_that_are_known() -> None:
    required, optional = frozenset({"a"}), frozenset({"b"})
    assert sj.members(value('{"b":2,"a":1}'), "x", required, optional) == {"a": b"1", "b": b"2"}
    assert sj.members(value('{"a":1}'), "x", required, optional) == {"a": b"1"}
    with pytest.raises(Malformed, match="expected a, got none"):
        sj.members(value('{"b":1}'), "x", required, optional)
    with pytest.raises(Malformed, match=r"'c\\x1b' is not known here") as caught:
        sj.members(value('{"a":1,"c\\u001b":2}'), "x", required, optional)
    assert caught.value.category is Category.UNSUPPORTED
    for text in ("[]", "1", '"a"', "null", "true", "1.5"):
        with pytest.raises(Malformed, match="expected an object"):
            sj.members(value(text), "x", required)


@pytest.mark.parametrize("text", ["-1", "1.0", "1e0", "1e400", '"1"', "true", "null", "[1]", "{}", "-0", "9" * 5000])
def test_ac_040_ac_053_what_is_not_written_as_an_integer_is_none(text: str) -> None:
    assert sj.integer(value("0"), "x", 5) == 0
    with pytest.raises(Malformed, match="x: expected an integer of 0 to 5"):
        sj.integer(value(text), "x", 5)


def test_an_integer_stays_in_its_range() -> None:
    assert sj.integer(value("255"), "x", 255) == 255
    with pytest.raises(Malformed, match="expected 0 to 255, got 256"):
        sj.integer(value("256"), "x", 255)


@pytest.mark.parametrize("text", ['""', '"a\\u0000"', '"\\u00e9"', '"\\ud800"', '"a\\n"', f'"{"a" * 65}"', "1", "null"])
def test_a_text_is_short_and_printable(text: str) -> None:
    assert sj.text(value('"OS/VMM"'), "x") == "OS/VMM"
    assert sj.text(value(f'"{"a" * 64}"'), "x") == "a" * 64
    with pytest.raises(Malformed, match="x: expected"):
        sj.text(value(text), "x")


@pytest.mark.parametrize("text", ['"ab"', '"abcdef"', '"abc"', '"zzzz"', '"0xab"', "1", "null", '"ab d"'])
def test_octets_are_hexadecimal_of_one_length_and_either_case(text: str) -> None:
    assert sj.octets(value('"abCD"'), "x", 2) == b"\xab\xcd"
    with pytest.raises(Malformed, match="x: expected"):
        sj.octets(value(text), "x", 2)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-01-31T12:00:00z",
        "2026-01-31T12:00:00+00:00",
        "2026-01-31T12:00:00.0Z",
        "2026-01-31 12:00:00Z",
        "2026-02-30T12:00:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T12:00:60Z",
        "0000-01-31T12:00:00Z",
        "20260131T120000Z",
        "2026-01-31T12:00:00Z\\n",
        "\\u0662026-01-31T12:00:00Z",
    ],
)
def test_a_time_has_one_spelling(text: str) -> None:
    moment = sj.moment(value('"2026-01-31T12:00:00Z"'), "x")
    assert moment == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert sj.write_moment(moment.astimezone(timezone(timedelta(hours=3)))) == "2026-01-31T12:00:00Z"
    with pytest.raises(Malformed, match="x: "):
        sj.moment(value(f'"{text}"'), "x")
    with pytest.raises(Malformed, match="expected a time, got 5"):
        sj.moment(value("5"), "x")


def test_a_list_has_one_entry_at_least_and_a_limit() -> None:
    assert sj.array(value("[1,2]"), "x", 2) == [b"1", b"2"]
    with pytest.raises(Malformed, match="expected 1 to 2 entries, got 0"):
        sj.array(value("[]"), "x", 2)
    with pytest.raises(Malformed, match="got 3") as caught:
        sj.array(value("[1,2,3]"), "x", 2)
    assert caught.value.category is Category.SIZE_LIMIT
    for text in ("{}", "1", '"a"', "null"):
        with pytest.raises(Malformed, match="expected a list"):
            sj.array(value(text), "x", 2)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_response_or_malformed(data: bytes) -> None:
    for text in (data, b'{"tcbInfo":{' + data + RESPONSE[-145:]):
        with suppress(Malformed):
            read_body(read_signed(text, "tcbInfo").body, "tcbInfo")


@given(st.dictionaries(st.text(max_size=5), st.integers(0, 9) | st.text(max_size=5), max_size=5))
def test_any_object_is_cut_out_exactly(found: dict[str, int | str]) -> None:
    for body in (json.dumps(found).encode(), json.dumps(found, ensure_ascii=False).encode(), sj.build_body(found)):
        signed = Signed(body=body, signature=SIGNATURE)
        assert read_signed(build_signed("tcbInfo", signed), "tcbInfo") == signed
        names = sj.members(read_body(body, "x"), "x", frozenset(found))
        assert names == {n: str(v).encode() if isinstance(v, int) else v for n, v in found.items()}
