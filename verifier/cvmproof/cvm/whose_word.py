"""Whose word it is which software may run.

The control plane names both the URL and the policy. Were its word enough, it could name a machine of its own and the
software on it, and everything would agree.
"""

from collections.abc import Sequence

from cvmproof.channel.judging import require_software
from cvmproof.errors import Misuse
from cvmproof.policy.policy import Authority, Policy

_HINT = (
    "name the software in a --floor or a --policy of your own, take only policies signed by --policy-key,"
    " pin the fetched one by --policy-digest, or say --trust-control-plane"
)


def require_word(policies: Sequence[Policy], *, trust_control_plane: bool, any_software: bool) -> None:
    """Refuse policies of which none but the control plane's says which software may run.

    Raises Misuse; also where none says it at all, unless `any_software`.
    """
    require_software(policies, any_software=any_software)
    naming = [policy for policy in policies if policy.constrains_software]
    if naming and not trust_control_plane and all(policy.authority is Authority.CONTROL_PLANE for policy in naming):
        message = "which software may run is the word of the control plane alone, which also names the address"
        raise Misuse(message, hint=_HINT)
