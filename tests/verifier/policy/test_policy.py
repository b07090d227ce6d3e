"""Whose word a policy is, and that a policy is what it was read as."""

from dataclasses import FrozenInstanceError

import pytest

from cvmproof.policy.policy import VERSION, Authority, Revocation
from cvmproof.policy.reading import builtin_policy


def test_authorities_stand_in_order_weakest_first() -> None:
    assert list(Authority) == ["control-plane", "operator-signed", "operator"]


def test_revocation_is_required_or_if_available_and_never_off() -> None:
    assert set(Revocation) == {"required", "if-available"}
    assert VERSION == 1


def test_a_policy_does_not_change_after_it_was_read() -> None:
    policy = builtin_policy("genuine")
    with pytest.raises(FrozenInstanceError):
        policy.revocation = Revocation.REQUIRED  # type: ignore[misc]  # that is the point
    with pytest.raises(TypeError):
        policy.snp.guest_policy["debug"] = "any"  # type: ignore[index]  # that is the point
