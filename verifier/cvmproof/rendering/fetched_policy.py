"""A policy as an API gave it, for people: what it is, and its text with nothing in it that a terminal would obey."""

from collections.abc import Iterator
from typing import Final

from cvmproof.prism.document import CvmPolicyDocument, PolicySignatureDocument
from cvmproof.rendering.columns import columns
from cvmproof.spelling import escape

_FORMS: Final = {
    "empty": "empty: the API has none for this CVM",
    "toml": "a policy in TOML",
    "json": "a policy in JSON",
}
_TEXT_LIMIT: Final = 64 * 1024  # characters
_LINE_LIMIT: Final = 4000  # characters
_TAB: Final = 4  # columns


def policy_fields(document: CvmPolicyDocument) -> str:
    """Say what it is, field by field."""
    return columns(list(_fields(document)))


def draw_text(text: str) -> tuple[str, bool]:
    """Give a policy's text, escaped line by line and cut, and whether it is all there."""
    lines = text[:_TEXT_LIMIT].replace("\r\n", "\n").removesuffix("\n").split("\n") if text else []
    whole = len(text) <= _TEXT_LIMIT and all(len(line) <= _LINE_LIMIT for line in lines)
    return "".join(f"{escape(line.expandtabs(_TAB), _LINE_LIMIT)}\n" for line in lines), whole


def _fields(document: CvmPolicyDocument) -> Iterator[tuple[str, str]]:
    yield "cvm", document["cvm"]
    yield "form", _form(document)
    if document["problem"] is not None:
        yield "problem", document["problem"]
    if document["constrains_software"] is not None:
        yield "software", "named by it" if document["constrains_software"] else "left open: any software will do"
    if document["signature"] is not None:
        yield from _signature(document["signature"])
    yield "size", f"{document['size']} bytes"
    yield "digest", f"sha256:{document['sha256']}"


def _form(document: CvmPolicyDocument) -> str:
    if document["foreign"] is not None:
        return f"{document['foreign']}: not one of ours, and not taken by cvm verify"
    form = _FORMS.get(document["form"], "unknown")
    return f"{form}, signed" if document["signature"] is not None else form


def _signature(signature: PolicySignatureDocument) -> Iterator[tuple[str, str]]:
    verified = "verified" if signature["verified"] else "not verified"
    yield "signed by", f"{signature['key_id'] or 'a key that it does not name'} ({verified})"
    yield "signed for", signature["cvm"]
    yield "serial", str(signature["serial"])
    yield "expires", signature["expires_at"]
    if signature["policy_sha256"] is not None:
        yield "policy inside", f"sha256:{signature['policy_sha256']}"
