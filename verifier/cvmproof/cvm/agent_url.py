"""Where a record says its agent is: text of whoever controls the API, and treated as such."""

from cvmproof.channel.address import AddressRules
from cvmproof.errors import Category, EndpointError
from cvmproof.prism.cvm import Cvm
from cvmproof.spelling import escape, spell_time

_FORWARDED = range(6100, 6201)  # Prism forwards one of these ports of its host to a CVM's agent
RULES = AddressRules(ports=AddressRules().ports | frozenset(_FORWARDED))


def agent_url(cvm: Cvm) -> str:
    """Give a record's agent as a URL; a record has a URL, or host:port, which is https as well.

    How it must be spelled and where it may lead is for `channel.address`. Raises EndpointError (UNAVAILABLE) for a CVM
    that has none, or was deleted.
    """
    if cvm.deleted_at is not None:
        message = f"{escape(cvm.id)}: deleted at {spell_time(cvm.deleted_at)}, says its record"
        raise EndpointError(message, category=Category.UNAVAILABLE)
    if cvm.agent_url is None:
        message = f"{escape(cvm.id)}: no agent_url yet, status {escape(cvm.status) or 'unknown'}"
        raise EndpointError(message, category=Category.UNAVAILABLE, hint="wait until the CVM has started")
    return cvm.agent_url if "://" in cvm.agent_url else f"https://{cvm.agent_url}"
