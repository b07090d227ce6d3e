"""Whose word a policy is, and that a policy is what it was read as."""

import json
from dataclasses import FrozenInstanceError, replace

import pytest
from tests.verifier.policy.tables import snp

from cvmproof.policy.policy import VERSION, Authority, Revocation
from cvmproof.policy.reading import builtin_policy, read_policy
from cvmproof_formats.binding import Tee
from cvmproof_formats.errors import Misuse


def test_authorities_stand_in_order_weakest_first() -> None:
    assert list(Authority) == ["control-plane", "first-use", "operator-signed", "operator"]


def test_revocation_is_required_or_if_available_and_never_off() -> None:
    assert set(Revocation) == {"required", "if-available"}
    assert VERSION == 1


def test_a_policy_does_not_change_after_it_was_read() -> None:
    policy = builtin_policy("genuine")
    with pytest.raises(FrozenInstanceError):
        policy.revocation = Revocation.REQUIRED  # type: ignore[misc]  # that is the point
    with pytest.raises(TypeError):
        snp(policy).guest_policy["debug"] = "any"  # type: ignore[index]  # that is the point


def test_a_policy_has_rules_for_a_technology_at_least_ac_088() -> None:
    policy = builtin_policy("genuine")
    assert policy.tees == (Tee.SEV_SNP, Tee.TDX)
    assert replace(policy, tdx=None).tees == (Tee.SEV_SNP,)
    assert replace(policy, snp=None).tees == (Tee.TDX,)
    with pytest.raises(Misuse, match="rules for SEV-SNP, TDX or both, got none"):
        replace(policy, snp=None, tdx=None)


SNP, TDX = {"measurements": ["a1" * 48]}, {"mr_tds": ["a1" * 48]}


@pytest.mark.parametrize(
    ("tables", "named"),
    [
        ({"snp": SNP}, True),
        ({"tdx": TDX}, True),
        ({"snp": SNP, "tdx": TDX}, True),
        ({"snp": SNP, "tdx": {"mr_tds": "any"}}, False),
        ({"snp": {"measurements": "any"}, "tdx": TDX}, False),
        ({"tdx": {"mr_tds": "any", "rtmr1": ["a1" * 48]}}, False),
    ],
)
def test_software_is_named_only_if_it_is_with_every_technology(tables: dict[str, object], *, named: bool) -> None:
    data = json.dumps({"extends": "builtin:recommended", **tables}).encode()
    assert read_policy(data, name="p").constrains_software is named
