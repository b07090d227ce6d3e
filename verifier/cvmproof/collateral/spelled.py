"""The ways in which vendors' files spell DER and PEM: in hexadecimal, percent-encoded, with Windows' ends of lines.

Intel's caching service gives revocation lists in hexadecimal, and its services give chains percent-encoded in headers.
What is inside is read as strictly as ever.
"""

import re
from urllib.parse import unquote_to_bytes

from cvmproof_formats.errors import Malformed
from cvmproof_formats.pem import read_pem

CRL_LABEL = "X509 CRL"  # RFC 7468 section 6
_PEM = b"-----BEGIN "
_PERCENT_ENCODED = b"-----BEGIN%20"
# The first two digits are those of a SEQUENCE or of "-", so that nothing else is taken for digits.
_HEX = re.compile(rb"(?:30|2[dD])(?:[0-9a-fA-F]{2})+")


def unspelled(data: bytes) -> bytes:
    """Take off what stands around DER or PEM, once; anything else stays as it is."""
    text = data.strip()
    if _HEX.fullmatch(text):
        return bytes.fromhex(text.decode("ascii"))
    if text.startswith(_PERCENT_ENCODED):
        return unquote_to_bytes(text)  # a "+" stays one: this is no form
    return data.replace(b"\r\n", b"\n") if text.startswith(_PEM) else data


def read_crls(data: bytes) -> tuple[bytes, ...]:
    """Give the DER of one list, or of every list in PEM, from any of these spellings; what is in them is not read here.

    Raises Malformed as `read_pem` does.
    """
    plain = unspelled(data)
    return read_pem(plain, CRL_LABEL) if plain.lstrip().startswith(_PEM) else (plain,)


def read_one_crl(data: bytes) -> bytes:
    """Give the DER of the one list; raises Malformed for more."""
    found = read_crls(data)
    if len(found) != 1:
        raise Malformed(f"revocation list: expected one, got {len(found)}")
    return found[0]
