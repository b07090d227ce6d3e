"""Everything that can be wrong with one member of signed JSON, by the kind of its value."""

import re
from collections.abc import Iterator

_VALUE = rb'"%s":("[^"]*"|[0-9]+)'


def members(body: bytes) -> list[str]:
    """The names whose value is a text or a number, each once, in order."""
    return list(dict.fromkeys(name.decode() for name in re.findall(rb'"(\w+)":(?=["0-9])', body)))


def changes_of(body: bytes, name: str) -> Iterator[tuple[str, bytes]]:
    """Other spellings, values and kinds of the first member of that name: what was changed, and the whole body."""
    found = re.search(_VALUE % name.encode(), body)
    assert found
    value, whole = found[1], found[0]
    others = _of_text(value[1:-1]) if value.startswith(b'"') else _of_number(int(value))
    if re.match(rb'"\d{4}-\d\d-\d\dT', value):
        others = _of_date(value[1:-1])
    for other in (*others, b"null", b"true", b"[]", b"{}", b"[%s]" % value, b" " + value, value + b"\n"):
        yield f"{name}: {other[:40]!r}", _put(body, found, b'"%s":%s' % (name.encode(), other))
    key = name.encode()
    yield f"{name} twice, the same", _put(body, found, whole + b"," + whole)
    yield f"{name} twice, another one last", _put(body, found, whole + b',"%s":"0"' % key)
    yield f"{name} twice, another one first", _put(body, found, b'"%s":"0",' % key + whole)
    yield f"{name} in other letters", _put(body, found, b'"%s":' % key.swapcase() + value)
    yield f"{name} with an escape", _put(body, found, b'"\\u%04x%s":' % (key[0], key[1:]) + value)
    yield f"{name} and an unknown one", _put(body, found, whole + b',"unknown":1')
    yield f"{name} missing", _without(body, found)


def _of_number(value: int) -> list[bytes]:
    digits = b"%d" % value
    return [
        *(b"%d" % other for other in (value + 1, max(value - 1, 0), 256, 65536, 1 << 32, 1 << 64)),
        *(digits + tail for tail in (b".0", b"e0", b"E+0", b".5", b"_0")),
        *(head + digits for head in (b"-", b"+", b"0", b"0x")),
        b'"%s"' % digits,
        b"1e400",
        b"NaN",
    ]


def _of_text(value: bytes) -> list[bytes]:
    others = [
        value.lower(),
        value.upper(),
        value + b" ",
        b" " + value,
        b"",
        value[:-1],
        value[:-2],
        value + b"0",
        value + b"00",
        value + b"\\u0000",
        b"\\u%04x" % value[0] + value[1:],
        b"0x" + value,
        bytes([value[0] ^ 1]) + value[1:],
        value[:-1] + bytes([value[-1] ^ 1]),
        value * 2,
        "\u0665".encode() + value[1:],
        value + b"\t",
    ]
    return [*(b'"%s"' % other for other in others), b"5", b"'%s'" % value]


def _of_date(value: bytes) -> list[bytes]:
    others = [
        value[:-1],
        value[:-1] + b"z",
        value[:-1] + b"+00:00",
        value[:-1] + b"+01:00",
        value[:-1] + b"-00:00",
        value[:-1] + b".0Z",
        value[:-1] + b".999999999Z",
        value.replace(b"T", b" "),
        value.replace(b"T", b"t"),
        value[:10],
        value[:-3] + b"60Z",
        value[:-4] + b"Z",
        b"0001-01-01T00:00:00Z",
        b"9999-12-31T23:59:59Z",
        b"+" + value,
        b"2026-13-01T00:00:00Z",
        b"2026-02-30T00:00:00Z",
        b"2026-11-20T24:00:00Z",
        b"",
    ]
    return [*(b'"%s"' % other for other in others), b"1763726400"]


def forms_of(body: bytes) -> Iterator[tuple[str, bytes]]:
    """The same object in another form, or with something around it."""
    yield "a space behind each colon", body.replace(b":", b": ")
    yield "a new line in front", b"\n" + body
    yield "a new line behind", body + b"\n"
    yield "a zero byte behind", body + b"\0"
    yield "text behind", body + b"x"
    yield "an object behind", body + b"{}"
    yield "a comma at the end", body[:-1] + b",}"
    yield "a byte order mark", b"\xef\xbb\xbf" + body
    yield "a comment", body[:-1] + b"/**/}"
    yield "cut", body[:-1]
    yield "empty", b""
    yield "an empty object", b"{}"
    yield "a list around it", b"[" + body + b"]"
    yield "deep nesting", body[:-1] + b',"deep":' + b"[" * 2000 + b"]" * 2000 + b"}"
    yield "an unknown member first", b'{"unknown":1,' + body[1:]
    yield "an escaped slash of no meaning", body.replace(b'":"', b'": "', 1)
    head, _, rest = body[1:].partition(b",")
    yield "its first member last", b"{" + rest[:-1] + b"," + head + b"}"


def _put(body: bytes, found: re.Match[bytes], text: bytes) -> bytes:
    return body[: found.start()] + text + body[found.end() :]


def _without(body: bytes, found: re.Match[bytes]) -> bytes:
    start, end = found.span()
    if body[end : end + 1] == b",":
        return body[:start] + body[end + 1 :]
    return body[: start - 1] + body[end:] if body[start - 1 : start] == b"," else body[:start] + body[end:]
