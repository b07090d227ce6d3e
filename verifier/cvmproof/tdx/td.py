"""What a case says of the TD itself, report data aside: the same in every quote of a TD until it extends an RTMR.

Neither a signature nor the time stands in it: so what it decides is answered once, and remembered by it.
"""

from dataclasses import dataclass, field
from functools import lru_cache

from cvmproof.policy.policy import Policy
from cvmproof.policy.tdx_rules import TdxRules
from cvmproof_formats.tdx.body import BODIES, REPORT_DATA_OFFSET, REPORT_DATA_SIZE, BodyType, TdBody
from cvmproof_formats.tdx.quote import Quote

_NO_REPORT_DATA = bytes(REPORT_DATA_SIZE)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Td:
    """A TD, the same object for the same bytes; the report data of `body` is zero, whatever the quote has."""

    body: TdBody


@dataclass(slots=True, kw_only=True)
class TdAsked:
    """What the answers about a TD look at; `rules` are those of the policy that asks."""

    body: TdBody
    rules: TdxRules = field(init=False)


def td_of(quote: Quote) -> Td:
    """Give the TD of a quote."""
    body = quote.body_bytes
    return _td(quote.body_type, body[:REPORT_DATA_OFFSET], body[REPORT_DATA_OFFSET + REPORT_DATA_SIZE :])


def ask_td(td: Td, policy: Policy) -> TdAsked:
    """Let a policy ask about a TD."""
    asked = TdAsked(body=td.body)
    if policy.tdx is not None:  # one without rules for TDX asks nothing that needs them
        asked.rules = policy.tdx
    return asked


@lru_cache(maxsize=512)
def _td(body_type: BodyType, before: bytes, behind: bytes) -> Td:
    return Td(body=BODIES[body_type].parse(before + _NO_REPORT_DATA + behind))
