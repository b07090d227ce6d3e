"""Whose word it is which software may run: the control plane's alone is not enough."""

import pytest
from tests.verifier.cvm.scene import POLICY

from cvmproof.cvm.whose_word import require_word
from cvmproof.errors import Misuse
from cvmproof.policy.policy import Authority, Policy
from cvmproof.policy.reading import builtin_policy, read_policy


def naming(authority: Authority) -> Policy:
    return read_policy(POLICY, name=authority, authority=authority)


OPEN = builtin_policy("genuine")
THEIRS = naming(Authority.CONTROL_PLANE)


def require(*policies: Policy, trust_control_plane: bool = False, any_software: bool = False) -> None:
    require_word(policies, trust_control_plane=trust_control_plane, any_software=any_software)


@pytest.mark.parametrize("authority", [Authority.OPERATOR, Authority.OPERATOR_SIGNED])
def test_an_operators_word_is_enough_beside_the_control_planes_or_alone(authority: Authority) -> None:
    require(THEIRS, naming(authority))
    require(naming(authority), OPEN)


def test_the_control_planes_alone_is_not_unless_somebody_says_so() -> None:
    for others in ((), (OPEN,)):
        with pytest.raises(Misuse, match="the word of the control plane alone") as caught:
            require(THEIRS, *others)
        assert "--trust-control-plane" in caught.value.hint
        require(THEIRS, *others, trust_control_plane=True)


def test_saying_that_any_software_will_do_does_not_make_its_word_enough() -> None:
    with pytest.raises(Misuse, match="the word of the control plane alone"):
        require(THEIRS, any_software=True)


def test_nobodys_word_needs_a_word_of_its_own() -> None:
    with pytest.raises(Misuse, match="no policy says which software may run"):
        require(OPEN, trust_control_plane=True)
    require(OPEN, any_software=True)


def test_no_policy_at_all() -> None:
    with pytest.raises(Misuse, match="one or more"):
        require(any_software=True, trust_control_plane=True)
