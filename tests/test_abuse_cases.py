"""Which abuse cases have a test: every number that is asked for, found in the names of the tests that stand for it.

`docs/abuse-cases.md` is written from here and compared: `python -m tests.test_abuse_cases` writes it anew.
"""

import ast
import re
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "abuse-cases.md"

# Number: what the verifier is given, and the category of its no.
ASKED = {
    1: ("a report cut short, at every length", "MALFORMED"),
    2: ("a report with one byte behind it; with a megabyte", "MALFORMED; SIZE_LIMIT"),
    3: ("a report version that is not 2 to 5", "UNSUPPORTED"),
    4: ("another signature algorithm; a signing key that is neither VCEK nor VLEK", "UNSUPPORTED"),
    5: ("anything behind the signature", "MALFORMED"),
    6: ("zeros, ones, random bytes", "MALFORMED or UNSUPPORTED"),
    7: ("a report with any one bit flipped", "SIGNATURE, or MALFORMED or UNSUPPORTED where it can't be read"),
    8: ("R or S zero, at the order, too long, swapped, big-endian", "SIGNATURE"),
    9: ("the same report with S replaced by n - S", "FRESHNESS, under the next nonce"),
    10: ("a certificate table that lies about itself", "MALFORMED; SIZE_LIMIT"),
    11: ("an attacker's chain of the same names", "CHAIN"),
    12: ("a root that is not pinned; no root", "CHAIN; UNAVAILABLE"),
    13: ("a chain of another product line than the CPU", "COLLATERAL_MISMATCH"),
    14: ("an endorsement key for another TCB", "COLLATERAL_MISMATCH"),
    15: ("another chip's endorsement key", "COLLATERAL_MISMATCH"),
    16: ("an endorsement certificate whose extensions are not exactly AMD's", "CHAIN"),
    17: ("an authority or a signature outside AMD's profile", "CHAIN"),
    18: ("a revoked intermediate; no revocation list", "REVOKED; UNAVAILABLE"),
    19: ("a forged revocation list; an old one; a root that may not sign any", "CHAIN; EXPIRED"),
    20: ("the other kind of key; a report left unsigned", "POLICY_MISMATCH; SIGNATURE"),
    21: ("a debug guest, real and simulated", "DEBUG"),
    22: ("a guest that may migrate, or has an agent", "POLICY_MISMATCH"),
    23: ("another privilege level; a report the host asked for", "POLICY_MISMATCH"),
    24: ("a TCB larger as a number and lower in a component", "TCB"),
    25: ("committed, current or launch TCB below the floor, or out of order", "TCB"),
    26: ("a Turin TCB in the older layout; an unknown CPU", "TCB; UNSUPPORTED"),
    27: ("a policy without a floor for a product line it takes", "POLICY_INVALID"),
    28: ("every platform bit, demand and value", "PLATFORM"),
    29: ("a mitigation that is missing, or not shown", "TCB"),
    30: ("every guest policy bit, demand and value; undefined bits", "POLICY_MISMATCH; UNSUPPORTED"),
    31: ("a product line that is not taken", "PLATFORM"),
    32: ("another measurement; an expected one of another length, or zero", "MEASUREMENT; POLICY_INVALID"),
    33: (
        "a quote cut short, longer, or with any one bit flipped",
        "MALFORMED; SIZE_LIMIT; whatever the bit was part of",
    ),
    34: ("a quote of another version, TEE, key, enclave vendor or kind of certification data", "UNSUPPORTED"),
    35: ("a quoting enclave that the platform's key did not sign, or that vouches for another key", "SIGNATURE"),
    36: (
        "a QE identity that is forged; an enclave that is another's, not Intel's product, old, or under debug",
        "SIGNATURE; COLLATERAL_MISMATCH; TCB; DEBUG",
    ),
    37: ("TCB info, QE identity or revocation list about something else", "COLLATERAL_MISMATCH"),
    38: ("the TDX module's version and what goes by it", "TCB; COLLATERAL_MISMATCH"),
    39: ("TCB levels in another order", "the same status"),
    40: ("components missing, too many, or no numbers", "MALFORMED"),
    41: ("every status of platform, module and enclave; an unknown one", "TCB"),
    42: ("a platform key, its CA or Intel's signing key revoked; an older list", "REVOKED; ROLLBACK"),
    43: ("TCB info or QE identity below the floor, older than one seen, or of two numbers", "ROLLBACK"),
    44: ("attributes of a TD under debug, reserved bits", "DEBUG; POLICY_MISMATCH"),
    45: (
        "other features, module, owner, configuration, service TD or registers",
        "POLICY_MISMATCH; IDENTITY; MEASUREMENT",
    ),
    46: ("a genuine machine that is not listed, or is ruled out", "IDENTITY"),
    47: ("a machine that hides which it is; no host data", "IDENTITY"),
    48: ("a name that is given to another machine or launch; two at once", "IDENTITY"),
    49: ("collateral that is old, or not yet issued, to the second", "EXPIRED"),
    50: ("a time that evidence, collateral or a server names", "never asked: the time is passed in"),
    51: ("a clock behind the build or behind what was seen", "EXPIRED"),
    52: ("signed JSON written anew; other bytes read than were signed", "SIGNATURE"),
    53: ("names twice, trailing text, NaN, great depth in signed JSON", "MALFORMED"),
    54: ("an issuer chain that is short, reordered or very long", "CHAIN; SIZE_LIMIT"),
    55: ("one authority's certificate in another's place", "CHAIN"),
    56: ("PEM with other things in it", "MALFORMED"),
    57: ("a body of another type or size", "UNSUPPORTED; MALFORMED"),
    58: ("evidence of one technology labelled as the other's", "UNSUPPORTED; MALFORMED"),
    59: ("an SGX quote", "UNSUPPORTED"),
    60: ("ten thousand quotes and collateral changed one by one", "never a yes where Intel's rules give a no"),
    61: ("evidence for another nonce", "FRESHNESS"),
    62: ("a nonce answered twice, too late, or never issued", "FRESHNESS"),
    63: ("an expected nonce or report data that is none, empty, short, or no bytes", "POLICY_INVALID"),
    64: ("a wrong expectation, on every TEE", "FRESHNESS; UNSUPPORTED where a TEE has no path yet"),
    65: ("no expected measurement; none in the evidence", "POLICY_INVALID; MEASUREMENT"),
    66: ("a nonce that zeros could pad", "POLICY_INVALID"),
    67: ("REPORT_DATA right in its first half only", "BINDING"),
    68: ("a random source that repeats itself", "INTERNAL"),
    69: ("evidence of one kind of binding where another is needed", "BINDING"),
    70: ("two different things to bind to", "never the same REPORT_DATA"),
    71: ("a relay with the agent's leaked TLS key", "BINDING"),
    72: ("a relay with a key of its own", "BINDING"),
    73: ("a relay that has the agent sign for it", "BINDING, and the agent refuses"),
    74: ("certificate, evidence and calls of different connections", "BINDING"),
    75: ("a reconnect, a resumption, TLS 1.2, another exporter value", "BINDING; UNSUPPORTED"),
    76: ("a TLS callback that raises", "the verdict stays what it was: none rests on a callback"),
    77: ("a capture of the wire", "not one application byte before the verdict, none after a rejected one"),
    78: ("another leaf, a compressed point, another curve", "BINDING"),
    79: ("a verifier's own evidence sent back to it", "BINDING"),
    80: ("a renewal that fails or takes too long", "UNAVAILABLE, and the channel is closed"),
    82: ("an event log that is forged, incomplete, or without end", "MEASUREMENT; MALFORMED"),
    83: ("a policy that is empty", "POLICY_INVALID"),
    84: ("unknown or repeated names, comments, marks, trailing text", "POLICY_INVALID"),
    85: ("a number that is not written as one", "POLICY_INVALID"),
    86: ("other formats, bombs, more than a mebibyte", "POLICY_INVALID; SIZE_LIMIT"),
    87: ("base64 or hexadecimal in another spelling", "POLICY_INVALID; MALFORMED"),
    88: ("no policy, none about software, or another environment's", "POLICY_INVALID; MEASUREMENT"),
    89: ("a check that gives no answer, or is gone", "INTERNAL"),
    90: ("a check that raises", "INTERNAL"),
    91: ("what was accepted before, now without its certificates, or too late", "UNAVAILABLE; EXPIRED"),
    92: (
        "a control plane's policy that takes what the operator's floor refuses",
        "POLICY_INVALID as a finding; the floor decides",
    ),
    93: (
        "a policy that is older, unsigned, of another CVM, or signed by somebody else",
        "ROLLBACK; SIGNATURE; IDENTITY",
    ),
    94: ("no evidence", "exit code other than 0"),
    95: ("simulated evidence under production trust; a platform that is none", "SIMULATED; UNSUPPORTED"),
    96: ("a trust set from the environment or of one's own", "SIMULATED; POLICY_INVALID"),
    97: ("a verdict made, copied, stored or used as a truth value by others", "an error of type"),
    98: ("every way to fail, on the command line", "its own category, never a yes"),
    99: ("a signature by no or another algorithm than the key's", "SIGNATURE"),
    100: ("a key used with another curve's algorithm", "SIGNATURE"),
    101: ("extensions that must be understood and are not", "SIGNATURE"),
    102: ("a message that brings its own key, or says where to fetch one", "SIGNATURE, and nothing is fetched"),
    103: ("an expiry that is missing, no number, or absurd", "EXPIRED; POLICY_INVALID"),
    106: (
        "CBOR that is deep, indefinite, repeated, tagged, huge, or longer than it says",
        "POLICY_INVALID; SIZE_LIMIT",
    ),
    107: ("COSE with the algorithm unprotected, the payload elsewhere, another tag", "SIGNATURE; POLICY_INVALID"),
    108: ("evidence over a limit", "SIZE_LIMIT"),
    109: ("compressed evidence", "SIZE_LIMIT, or MALFORMED below the limit: nothing is decompressed"),
    110: ("very many, very slow and half-open connections", "the others are served"),
    111: ("messages without end, too large, too deep, too many headers", "SIZE_LIMIT; MALFORMED"),
    112: ("an agent's URL that leads elsewhere than it seems to", "ENDPOINT"),
    113: ("a key distribution service without TLS, or with a wrong certificate", "ENDPOINT; UNAVAILABLE"),
    114: ("a service that answers with anything else, slowly, or too much", "UNAVAILABLE"),
    115: ("an outage", "UNAVAILABLE; EXPIRED"),
    116: ("a name in the store that leads elsewhere", "MALFORMED"),
    117: ("collateral that was tampered with", "CHAIN; SIGNATURE"),
    118: ("very many hostile inputs", "nothing grows"),
    119: (
        "a thousand requests at once",
        "as many as the device takes, then RATE_LIMIT; none answered for another nonce",
    ),
    120: (
        "a device that is busy, fails or hangs, or a driver that lost its key",
        "UNAVAILABLE, asked again with pauses and to a bound; a lost key for good",
    ),
    121: ("another writer at a request's entry; a generation that never changes", "UNAVAILABLE, in time"),
    122: ("a device that returns another report than was asked for", "not sent"),
    123: ("no device", "nothing starts"),
    124: ("an environment that names another device, or the simulator", "refused"),
    125: ("each call as anybody may make it", "as its class says; a new call fails until it has one"),
    126: ("logs at their most talkative", "no nonce, key, exporter value or evidence in them"),
    127: ("text with control characters, or very long", "escaped and cut"),
    128: ("a process killed anywhere", "nothing of it stays"),
}

# Parts of the cases above that have nothing to apply to yet.
NOT_YET = {
    81: "evidence has one part, and what a vTPM adds comes later",
    94: "a list is of CVMs so far, each with evidence of its own",
    95: "there is no label that names a simulated platform: any tee but sev-snp and tdx can't be read",
}

NUMBER = re.compile(r"ac_(\d{3})")


def numbers_in(source: str) -> set[int]:
    """The numbers in the names of a module's tests."""
    names = (
        node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return {int(number) for name in names if name.startswith("test_") for number in NUMBER.findall(name)}


@lru_cache
def covered() -> dict[int, list[str]]:
    """Number: the files that have a test of it."""
    found: dict[int, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for number in numbers_in(path.read_text("utf-8")):
            found.setdefault(number, []).append(path.relative_to(ROOT).as_posix())
    return found


def page() -> str:
    """The page, in Markdown."""
    rows = [f"| {number} | {given} | {category} |" for number, (given, category) in ASKED.items()]
    return "\n".join(
        [
            "# Abuse cases",
            "",
            "What attackers and accidents hand to the verifier, and the category of its no. Each number stands in",
            "the names of its tests: `pytest -k ac_011` runs those of case 11. This page is written by",
            "`python -m tests.test_abuse_cases`.",
            "",
            "| case | given | refused as |",
            "|---|---|---|",
            *rows,
            "",
            "Parts that have nothing to apply to yet:",
            "",
            *(f"- {number}: {why}." for number, why in NOT_YET.items()),
            "",
        ]
    )


@pytest.mark.parametrize("number", ASKED)
def test_a_case_that_is_asked_for_has_a_test(number: int) -> None:
    assert covered().get(number), f"no test has ac_{number:03d} in its name"


def test_the_page_says_which_cases_have_tests() -> None:
    assert PAGE.read_text("utf-8") == page(), "write it anew: python -m tests.test_abuse_cases"


def test_what_can_not_apply_yet_is_part_of_what_was_asked() -> None:
    assert NOT_YET.keys() - {81} <= ASKED.keys()


def test_only_the_name_of_a_test_counts() -> None:
    assert numbers_in("def test_ac_001_ac_002_x() -> None: ...\ndef helper_ac_003() -> None: ...\n# ac_004") == {1, 2}


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
