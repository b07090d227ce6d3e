"""Policies read from TOML or JSON, strictly: unknown, missing, repeated or ill-typed values, empty files are refused.

`extends = "builtin:NAME"` takes from a built-in policy what the file itself does not say, table by table. A file that
has a table for one technology takes only those that it has tables for: the built-in policies leave the software of each
open, and whoever names the software of one has not asked for any software of another.
"""

import hashlib
import re
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import cvmproof_policies
from cvmproof.policy.policy import VERSION, Authority, Policy, Revocation
from cvmproof.policy.snp_rules import read_snp_rules
from cvmproof.policy.values import choice, integer, refuse_unknown, require_names, wrong
from cvmproof_formats.encoding import read_json, require_size
from cvmproof_formats.errors import Malformed, Misuse

if TYPE_CHECKING:
    from cvmproof.policy.tdx_rules import TdxRules

POLICY_LIMIT = 1024 * 1024  # bytes, design section 8.5
MAXIMUM_VALIDITY = 7 * 24 * 3600  # seconds
BUILTIN_PREFIX = "builtin:"
BUILTIN_NAMES = ("genuine", "recommended")
# importlib.resources would cost a tenth of the command's start for this one folder.
_FOLDER = Path(cvmproof_policies.__file__).parent
KEY_LIMIT = 32  # dots in a line; a key of a policy has three
# An open string ends with its line, so that looking for them takes linear time; tomllib refuses it soon enough.
_TOML_STRING = re.compile(rb'"(?:[^"\\\n]|\\.)*"?|\'[^\'\n]*\'?')
_SETTINGS = ("version", "revocation", "valid_for")
# By the table of each technology: the rule that says which software may run, and what `policy new` calls it.
_SOFTWARE = {"snp": ("measurements", "--measurement"), "tdx": ("mr_tds", "--mrtd")}
_NAMES = (*_SETTINGS, *_SOFTWARE)


def read_policy(data: bytes, *, name: str, authority: Authority = Authority.OPERATOR) -> Policy:
    """Read a policy of at most 1 MiB, TOML or JSON.

    Raises Misuse (POLICY_INVALID, or SIZE_LIMIT).
    """
    document = read_document(data, name=name)
    if "extends" in document:
        document = _extend(document)
    refuse_unknown(document, _NAMES, name)
    if "version" in document:
        integer(VERSION, VERSION)(document["version"], "version")
    _require_complete(document, name)
    return Policy(
        name=name,
        digest=hashlib.sha256(data).digest(),
        authority=authority,
        revocation=choice(Revocation)(document["revocation"], "revocation"),
        valid_for=integer(1, MAXIMUM_VALIDITY)(document["valid_for"], "valid_for"),
        snp=read_snp_rules(document["snp"], "snp") if "snp" in document else None,
        tdx=_read_tdx(document["tdx"]) if "tdx" in document else None,
    )


@lru_cache(maxsize=2 * len(BUILTIN_NAMES))
def builtin_policy(name: str) -> Policy:
    """Give a built-in policy by its name, with or without the prefix "builtin:".

    Raises Misuse for an unknown one, and for one that has to be completed first.
    """
    bare = name.removeprefix(BUILTIN_PREFIX)
    return read_policy(builtin_bytes(bare), name=f"{BUILTIN_PREFIX}{bare}")


def builtin_bytes(name: str) -> bytes:
    """Give the TOML of a built-in policy.

    Raises Misuse for an unknown one.
    """
    if name not in BUILTIN_NAMES:
        expected = ", ".join(BUILTIN_PREFIX + known for known in BUILTIN_NAMES)
        raise wrong("built-in policy", f"one of {expected}", name)
    return _FOLDER.joinpath(f"{name}.toml").read_bytes()


def read_document(data: bytes, *, name: str) -> Mapping[str, object]:
    """Read the TOML or JSON of a policy into a table that is not empty, and look no further.

    Raises Misuse.
    """
    try:
        require_size(data, what=f"policy {name}", limit=POLICY_LIMIT)
        document = _parse(data, name)
    except Malformed as error:
        category = error.category if error.category != "MALFORMED" else None
        raise Misuse(str(error), category=category) from error
    if not isinstance(document, dict) or not document:
        raise wrong(name, "a table that says something", "nothing" if not document else type(document).__name__)
    return document


def _read_tdx(table: object) -> "TdxRules":
    from cvmproof.policy.tdx_rules import read_tdx_rules  # noqa: PLC0415 -- policies for SNP alone load nothing of TDX

    return read_tdx_rules(table, "tdx")


def _parse(data: bytes, name: str) -> object:
    if data.lstrip(b" \t\r\n")[:1] in {b"{", b'"'}:
        return read_json(data, what=f"policy {name}", limit=POLICY_LIMIT)
    _refuse_long_keys(data, name)
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Misuse(
            f"policy {name}: expected TOML, or JSON that starts with an object: {str(error) or type(error).__name__}"
        ) from error


def _refuse_long_keys(data: bytes, name: str) -> None:
    """Refuse keys of very many parts, which tomllib takes quadratic time for, and strings that could hide them."""
    if b'"""' in data or b"'''" in data:
        raise Misuse(f"policy {name}: expected no strings over several lines (three quotes)")
    for line in _TOML_STRING.sub(b"", data).split(b"\n"):
        if line.partition(b"#")[0].count(b".") > KEY_LIMIT:
            raise Misuse(f"policy {name}: expected at most {KEY_LIMIT} dots in a line, outside of strings")


def _extend(document: Mapping[str, object]) -> Mapping[str, object]:
    base = document["extends"]
    own = {key: value for key, value in document.items() if key != "extends"}
    if not isinstance(base, str) or not base.startswith(BUILTIN_PREFIX):
        raise wrong("extends", f'"{BUILTIN_PREFIX}NAME"', base)
    if not own:
        raise wrong("policy", f"something of its own besides extends; {base} can be named directly", "nothing")
    taken = own.keys() & _SOFTWARE.keys() or _SOFTWARE.keys()
    unasked = _SOFTWARE.keys() - taken
    return _merge({name: value for name, value in _builtin_document(base).items() if name not in unasked}, own)


@lru_cache(maxsize=2 * len(BUILTIN_NAMES))
def _builtin_document(name: str) -> Mapping[str, object]:
    """Read a built-in policy's table once: every policy that extends it is merged into a copy."""
    return read_document(builtin_bytes(name.removeprefix(BUILTIN_PREFIX)), name=name)


# Tables whose entries are separate rules: a file that names one keeps the others. Anything else is replaced whole.
_MERGED = ("snp", "products", "guest_policy", "platform_info", "tdx", "platform", "attributes", "xfam")


def _merge(base: Mapping[str, object], own: Mapping[str, object]) -> Mapping[str, object]:
    merged = dict(base)
    for key, value in own.items():
        below = merged.get(key)
        if key in _MERGED and isinstance(value, dict) and isinstance(below, dict):
            merged[key] = _merge(below, value)
        else:
            merged[key] = value
    return merged


def _require_complete(document: Mapping[str, object], name: str) -> None:
    open_tables = [table for table in _SOFTWARE if _lacks_software(document.get(table), _SOFTWARE[table][0])]
    if open_tables:
        raise _incomplete(name, open_tables)
    require_names(document, _SETTINGS, name)
    if not document.keys() & _SOFTWARE.keys():
        message = f"policy {name}: {' and '.join(_SOFTWARE)} missing: it takes no technology at all"
        raise Misuse(message, hint="write a table [snp] for SEV-SNP, [tdx] for TDX, or both")


def _lacks_software(rules: object, rule: str) -> bool:
    return isinstance(rules, dict) and rule not in rules


def _incomplete(name: str, tables: list[str]) -> Misuse:
    rules = [f"{table}.{_SOFTWARE[table][0]}" for table in tables]
    options = [f"{_SOFTWARE[table][1]} HEX" for table in tables]
    message = f"policy {name}: {' and '.join(rules)} missing: which software may run is for you to say"
    hint = (
        f"cvmproof policy new --from builtin:recommended {' or '.join(options)} -o policy.toml"
        f'  (or write {_SOFTWARE[tables[0]][0]} = "any" to take any software)'
    )
    return Misuse(message, hint=hint)
