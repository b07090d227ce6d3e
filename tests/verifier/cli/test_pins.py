"""--pin: what it may name."""

import pytest
from tests.verifier.policy.tables import snp

from cvmproof.cli.pins import read_pins
from cvmproof.errors import Misuse
from cvmproof.policy.policy import Authority
from cvmproof_formats.snp.product import ProductLine
from cvmproof_simulator.psp import SoftwarePsp

CHIP = SoftwarePsp(ProductLine.GENOA).chip_id


def test_pins_are_a_policy_of_the_operator_and_demand_nothing_else() -> None:
    (policy,) = read_pins([f"machine:{CHIP.hex()}", f"instance:{'11' * 32}"])
    assert (policy.name, policy.authority) == ("--pin", Authority.OPERATOR)
    assert snp(policy).chip_ids == frozenset({CHIP})
    assert snp(policy).report_ids == frozenset({b"\x11" * 32})
    assert not policy.constrains_software


def test_no_pin_is_no_policy() -> None:
    assert read_pins([]) == ()


@pytest.mark.parametrize("pin", ["image:00", "machine", "machine:00", "instance:zz", ""])
def test_anything_else_is_refused(pin: str) -> None:
    with pytest.raises(Misuse, match="--pin"):
        read_pins([pin])
