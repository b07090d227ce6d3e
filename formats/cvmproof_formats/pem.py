"""PEM (RFC 7468 section 3, strict form): certificates as text, as AMD's key distribution service hands them out.

Nothing but blocks of the wanted label and empty lines between them; lines end in LF, bodies have 64 columns; base64
is canonical. Text around the blocks, other labels and carriage returns are refused: what needs guessing is not read.
"""

import base64
import binascii
import re
from functools import lru_cache

from cvmproof_formats.errors import Category, Malformed

MAXIMUM_PEM = 64 * 1024  # bytes; a chain of three RSA-4096 certificates takes 7 KiB
MAXIMUM_BLOCKS = 16
_COLUMNS = 64  # of every line but the last, RFC 7468 section 3
_SEQUENCE = b"\x30"
_SHOWN = 40  # bytes of what is no block


def read_pem(data: bytes, label: str = "CERTIFICATE") -> tuple[bytes, ...]:
    """Read the DER of every block, at least one.

    Raises Malformed for anything that is not a block with this label; SIZE_LIMIT above 64 KiB or 16 blocks.
    """
    if len(data) > MAXIMUM_PEM:
        raise Malformed(f"PEM: expected at most {MAXIMUM_PEM} bytes, got {len(data)}", category=Category.SIZE_LIMIT)
    texts = _texts_at_once(data, label.encode("ascii"))
    if texts is None or not 1 <= len(texts) <= MAXIMUM_BLOCKS:
        texts = _texts(data, label)
    return tuple([_decode(text) for text in texts])


def _texts_at_once(data: bytes, label: bytes) -> list[bytes] | None:
    """Cut blocks apart that follow each other without an empty line; None where anything else is between them.

    What is no base64 is found when it is decoded.
    """
    before, *blocks = data.split(b"-----BEGIN %s-----\n" % label)
    end, texts = b"-----END %s-----\n" % label, []
    for block in blocks:
        body = block.removesuffix(end)
        text = body.replace(b"\n", b"")
        full, rest = divmod(len(text), _COLUMNS)
        # One LF behind every full line, and one more at the end where the last line is not full.
        newlines = body[_COLUMNS :: _COLUMNS + 1] == b"\n" * full and body.endswith(b"\n")
        if body == block or len(body) != len(text) + full + (rest > 0) or not newlines:
            return None
        texts.append(text)
    return None if before else texts


def _texts(data: bytes, label: str) -> list[bytes]:
    block = _block(label.encode("ascii"))
    bodies, offset = [], _skip_empty_lines(data, 0)
    while offset < len(data):
        found = block.match(data, offset)
        if found is None:
            raise Malformed(f"PEM at offset {offset}: {_problem(data[offset : offset + _SHOWN], label)}")
        bodies.append(found[1])
        offset = _skip_empty_lines(data, found.end())
    if not 1 <= len(bodies) <= MAXIMUM_BLOCKS:
        category = Category.SIZE_LIMIT if bodies else None
        raise Malformed(f"PEM: expected 1 to {MAXIMUM_BLOCKS} {label} blocks, got {len(bodies)}", category=category)
    return [body.replace(b"\n", b"") for body in bodies]


def _problem(start: bytes, label: str) -> str:
    # Only the first line, which is a label or a stray text: a body may be a private key, given by mistake.
    line, end, _ = start.partition(b"\n")
    if end and line == b"-----BEGIN %s-----" % label.encode("ascii"):
        return f"expected lines of {_COLUMNS} base64 characters, the last maybe shorter, and END {label}, got others"
    return f"expected a {label} block, got {line!r}"


def write_pem(der: bytes, label: str = "CERTIFICATE") -> bytes:
    """Write one block."""
    text = base64.b64encode(der)
    lines = [text[i : i + _COLUMNS] for i in range(0, len(text), _COLUMNS)]
    name = label.encode("ascii")
    return b"\n".join((b"-----BEGIN %s-----" % name, *lines, b"-----END %s-----" % name, b""))


def certificates(data: bytes) -> tuple[bytes, ...]:
    """Give the DER of one certificate in DER, or of every certificate in PEM; what is in them is not read here.

    Raises Malformed as `read_pem` does.
    """
    return (data,) if data.startswith(_SEQUENCE) else read_pem(data)


@lru_cache(maxsize=16)
def _block(label: bytes) -> re.Pattern[bytes]:
    # The last END line may lack its LF.
    body = rb"((?:[A-Za-z0-9+/]{%d}\n)*(?:[A-Za-z0-9+/=]{1,%d}\n)?)" % (_COLUMNS, _COLUMNS)
    return re.compile(b"-----BEGIN %s-----\n%s-----END %s-----(?:\n|\\Z)" % (re.escape(label), body, re.escape(label)))


def _skip_empty_lines(data: bytes, offset: int) -> int:
    while data[offset : offset + 1] == b"\n":
        offset += 1
    return offset


def _decode(text: bytes) -> bytes:
    try:
        der = binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error as error:
        raise Malformed(f"PEM: expected base64: {error}") from error
    # Several texts decode to the same bytes when unused bits are set; only one of them is what an encoder writes. They
    # differ in the last group alone, of four characters for up to three bytes.
    if not der or binascii.b2a_base64(der[-((len(der) - 1) % 3 + 1) :], newline=False) != text[-4:]:
        raise Malformed(f"PEM: expected canonical base64 of at least one byte, got {text[-8:]!r} at its end")
    return der
