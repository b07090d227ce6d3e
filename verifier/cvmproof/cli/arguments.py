"""What the arguments of several commands mean: policies, time, what is expected of REPORT_DATA."""

import re
from datetime import datetime
from typing import Final

from cvmproof.cli.files import read_named
from cvmproof.errors import Misuse
from cvmproof.freshness import ExpectedNonce, ExpectedReportData, Freshness, NoFreshness
from cvmproof.policy.policy import Policy
from cvmproof.policy.reading import BUILTIN_PREFIX, POLICY_LIMIT, builtin_policy, read_policy
from cvmproof_formats.binding import NONCE_SIZE, REPORT_DATA_SIZE
from cvmproof_formats.encoding import read_hex
from cvmproof_formats.errors import Malformed

# RFC 3339 section 5.6, with seconds and a zone.
_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def read_freshness(*, nonce: str | None, report_data: str | None, none: bool) -> Freshness:
    """Read the one of three options that says what REPORT_DATA must be.

    Raises Misuse for none or several of them, or other lengths.
    """
    given = [option for option in (nonce, report_data, none or None) if option is not None]
    if len(given) != 1:
        hint = "the nonce you sent, the 64 bytes you expect, or --no-freshness if the evidence may be old"
        message = f"expected exactly one of --nonce, --report-data and --no-freshness, got {len(given) or 'none'}"
        raise Misuse(message, hint=hint)
    if nonce is not None:
        return ExpectedNonce(read_hex_option("--nonce", nonce, NONCE_SIZE))
    if report_data is not None:
        return ExpectedReportData(read_hex_option("--report-data", report_data, REPORT_DATA_SIZE))
    return NoFreshness()


def read_hex_option(option: str, value: str, size: int) -> bytes:
    """Read an option of exactly `size` bytes in hexadecimal; raises Misuse."""
    try:
        return read_hex(value, what=option, size=size)
    except Malformed as error:
        raise Misuse(str(error)) from error


def read_policies(policy: str, floor: str | None) -> tuple[Policy, ...]:
    """Read the policy, and the floor where there is one; raises Misuse."""
    return (open_policy(policy),) if floor is None else (open_policy(policy), open_policy(floor))


def open_policy(name: str) -> Policy:
    """Read a policy from a file, or a built-in one by "builtin:NAME"; raises Misuse."""
    if name.startswith(BUILTIN_PREFIX):
        return builtin_policy(name.removeprefix(BUILTIN_PREFIX))
    return read_policy(read_named(name, POLICY_LIMIT, "policy"), name=name)


def read_time(text: str, option: str = "--at") -> datetime:
    """Read a moment as RFC 3339 has it, with its zone; raises Misuse."""
    if _RFC3339.fullmatch(text):
        try:
            return datetime.fromisoformat(text.upper())
        except ValueError:
            pass  # the thirtieth of February: refused below like the rest
    raise Misuse(f"{option}: expected a time like 2026-09-01T00:00:00Z, got {text!r:.60}")
