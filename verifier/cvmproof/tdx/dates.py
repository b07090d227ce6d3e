"""From when till when everything holds that a verdict about a quote rests on: certificates, lists and Intel's JSON."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

from cvmproof.tdx.backing import Backing

_KINDS = 4  # of what is dated and not a certificate: the root's list, the CA's list, TCB info, QE identity
_not_before, _not_after = attrgetter("not_before"), attrgetter("not_after")
_NEVER = datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)


class Dates(NamedTuple):
    """The dates of what backs a quote; a list that can't be read or is forged has none."""

    certificates: datetime
    """The first end of a certificate."""
    dated: tuple[tuple[datetime, datetime], ...]
    """From when till when each list and JSON is to be used, grace included."""
    since: datetime
    until: datetime
    """When all of `dated` are to be used."""
    window: tuple[datetime, datetime]
    """Between which times everything holds; none where something is missing, or an authority has several lists."""


@lru_cache(maxsize=512)
def dates_of(backing: Backing, grace: int) -> Dates:
    """Give the dates of what backs a quote; lists and JSON may be used for `grace` seconds more."""
    chain, signer = backing.chain, backing.signer
    certificates = (*chain.certificates, signer.certificate) if signer else chain.certificates
    dated = [
        (one.crl.this_update, one.crl.next_update)
        for one in (*backing.root_crls, *backing.pck_crls)
        if one.crl and one.crl.next_update and not one.problem
    ]
    dated += [(info.issue_date, info.next_update) for info in (backing.info, backing.identity) if info]
    if grace:
        dated = [(begin, end + timedelta(seconds=grace)) for begin, end in dated]
    begin, end = max(map(_not_before, certificates)), min(map(_not_after, certificates))
    begins, ends = zip(*dated, strict=True) if dated else ((end,), (end,))
    since, until = max(begins), min(ends)
    complete = signer and len(dated) == _KINDS and len(backing.root_crls) == len(backing.pck_crls) == 1
    window = (max(begin, since), min(end, until)) if complete else _NEVER
    return Dates(certificates=end, dated=tuple(dated), since=since, until=until, window=window)
