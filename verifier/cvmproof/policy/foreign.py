"""Policies in forms that others write: named, so that they are refused by their name until they can be imported.

Only the structure is looked at; nothing in such a policy is believed. What is recognised: the JSON of Cocos and of
go-sev-guest's and go-tdx-guest's check configurations, in snake_case and camelCase, CoRIM with and without a signature,
and any other CBOR. What is not recognised is for the strict reader to refuse.
"""

import re
from collections.abc import Mapping
from typing import Final

from cvmproof.policy.cbor import ARRAY, BYTES, MAP, TAG, TEXT
from cvmproof.policy.cose import CONTENT_TYPE, TAG_SIGN1, read_sign1
from cvmproof.policy.reading import POLICY_LIMIT
from cvmproof_formats.encoding import read_json
from cvmproof_formats.errors import CvmproofError

_SNP_CONFIG = "go-sev-guest check configuration"
_TDX_CONFIG = "go-tdx-guest check configuration"

# Top-level names of the generations of Cocos' policy files, and of the configurations they are made of.
_SNP_V1: Final = frozenset({"snp_policy", "snpPolicy"})
_EAT: Final = frozenset({"eat_validation", "eatValidation"})
_PCRS: Final = frozenset({"pcr_values", "pcrValues"})
_ROOT_OF_TRUST: Final = frozenset({"root_of_trust", "rootOfTrust"})
_TDX_PARTS: Final = frozenset({"header_policy", "headerPolicy", "td_quote_body_policy", "tdQuoteBodyPolicy"})
# A policy of ours has none of these at its top.
_FOREIGN: Final = _SNP_V1 | _EAT | _PCRS | _ROOT_OF_TRUST | {"policy"}
_API_ANSWER: Final = frozenset({"attestation_policy"})

# go-sev-guest and go-tdx-guest also read the text form of protocol buffers.
_TEXTPROTO: Final = re.compile(rb"\s*(?:#[^\n]*\n\s*)*(?:policy|root_of_trust)\s*:?\s*\{")

# draft-ietf-rats-corim: 501 stands before an unsigned one; 505 to 508 before the tags in it.
_CORIM_TAGS: Final = frozenset({500, 501, 502, 505, 506, 507, 508})
_CORIM_CONTENT: Final = frozenset({"application/rim+cbor", "application/corim-unsigned+cbor"})
_TAG_NAMES: Final = {61: "CBOR Web Token", 98: "COSE_Sign message (several signers)"}  # RFC 8392, RFC 9052
_WIDTHS: Final = {24: 1, 25: 2, 26: 4, 27: 8}  # RFC 8949 section 3
_INDEFINITE, _BREAK = 31, 0xFF
_FIRST_CONTAINER = ARRAY << 5  # numbers and strings are no form of a policy


def foreign_form(data: bytes) -> str | None:
    """Name the form that others gave a policy; None for ours, signed or not, and for what is no known form.

    Any bytes give an answer.
    """
    if len(data) > 2 * POLICY_LIMIT:
        return None
    if data[:1] and data[0] >= _FIRST_CONTAINER:
        return _cbor_form(data)
    if _TEXTPROTO.match(data):
        return f"{_SNP_CONFIG} or {_TDX_CONFIG} (textproto)"
    return _json_form(data) if data.lstrip(b" \t\r\n")[:1] == b"{" else None


def _json_form(data: bytes) -> str | None:
    try:
        document = read_json(data, what="policy", limit=POLICY_LIMIT)
    except CvmproofError:
        return None
    if not isinstance(document, dict):
        return None
    names = frozenset(map(str, document))
    if names == _API_ANSWER:
        return "answer of the CVMs API, its attestation_policy still in base64"
    if not names <= _FOREIGN or not names:
        return None
    return _json_generation(document, names)


def _json_generation(document: Mapping[str, object], names: frozenset[str]) -> str:
    below = document.get("policy")
    parts = frozenset(map(str, below)) if isinstance(below, dict) else frozenset[str]()
    config = _TDX_CONFIG if parts & _TDX_PARTS else _SNP_CONFIG
    if names & _SNP_V1:
        return "Cocos policy of 2024-08 (JSON, snp_policy)"
    if names & _EAT or _nested(below, _EAT):
        return f"Cocos policy of 2026-02 (JSON, {config} with eat_validation)"
    if names & _PCRS:
        return f"Cocos policy of 2025-03 to 2026-03 (JSON, {config} with pcr_values)"
    return f"{config} (JSON), also written by Cocos"


def _nested(policy: object, names: frozenset[str]) -> bool:
    """Tell whether a name stands in a policy or in a table of it."""
    if not isinstance(policy, dict):
        return False
    return any(names & value.keys() for value in (policy, *policy.values()) if isinstance(value, dict))


def _cbor_form(data: bytes) -> str | None:
    major, number = _head(data)
    if major == TAG and number == TAG_SIGN1:
        return "signed CoRIM" if _content_type(data) in _CORIM_CONTENT else None
    if major == TAG and number in _CORIM_TAGS:
        return "CoRIM"
    if major == TAG and number in _TAG_NAMES:
        return _TAG_NAMES[number]
    if not _is_one_item(data):
        return None
    return "CoRIM" if _looks_like_corim(data) else "CBOR of an unknown kind"


def _head(data: bytes) -> tuple[int, int]:
    """Read the first major type and its argument, -1 where there is none."""
    info = data[0] & 0x1F
    width = _WIDTHS.get(info, 0)
    argument = int.from_bytes(data[1 : 1 + width], "big") if width else info
    return data[0] >> 5, argument if len(data) > width and info < _INDEFINITE else -1


def _content_type(data: bytes) -> str:
    try:
        found = read_sign1(data, what="policy", payload_limit=POLICY_LIMIT).header.get(CONTENT_TYPE)
    except CvmproofError:
        return ""
    return found if isinstance(found, str) else ""


def _looks_like_corim(data: bytes) -> bool:
    """A map that starts with 0: an id as text, a UUID or bytes (corim-map)."""
    # After one byte of map with up to 23 entries: key 0, then text, bytes, or tag 37 (UUID).
    value = data[2:4]
    is_id = value == b"\xd8\x25" or (bool(value) and value[0] >> 5 in {TEXT, BYTES})
    return data[0] >> 5 == MAP and data[1:2] == b"\x00" and is_id


def _is_one_item(data: bytes) -> bool:
    """Tell whether data are exactly one well-formed item (RFC 8949 appendix C), however deep, in linear time."""
    open_items: list[int | None] = [1]  # how many items each open container still wants; None: until a break
    at = 0
    while open_items:
        if open_items[-1] == 0:
            open_items.pop()
            continue
        if at >= len(data):
            return False
        at = _step(data, at, open_items)
        if at < 0:
            return False
    return at == len(data)


def _step(data: bytes, at: int, open_items: list[int | None]) -> int:
    """Read one head and what belongs to it; gives where the next one starts, -1 if it is not well-formed."""
    wanted = open_items[-1]
    if data[at] == _BREAK:
        if wanted is not None:
            return -1
        open_items.pop()
        return at + 1
    if wanted is not None:
        open_items[-1] = wanted - 1
    major, info = data[at] >> 5, data[at] & 0x1F
    if info == _INDEFINITE:
        if major not in {BYTES, TEXT, ARRAY, MAP}:
            return -1
        open_items.append(None)
        return at + 1
    width = _WIDTHS.get(info, 0 if info < min(_WIDTHS) else -1)
    if width < 0 or at + width >= len(data):
        return -1
    argument = int.from_bytes(data[at + 1 : at + 1 + width], "big") if width else info
    return _skip(major, argument, at + 1 + width, open_items)


def _skip(major: int, argument: int, at: int, open_items: list[int | None]) -> int:
    if major in {BYTES, TEXT}:
        return at + argument
    if major in {ARRAY, MAP, TAG}:
        open_items.append({ARRAY: argument, MAP: 2 * argument, TAG: 1}[major])
    return at
