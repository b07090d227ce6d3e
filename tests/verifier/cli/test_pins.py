"""--pin: what it may name."""

import pytest
from tests.verifier.policy.tables import snp, tdx

from cvmproof.cli.pins import read_pins
from cvmproof.errors import Misuse
from cvmproof.policy.policy import Authority
from cvmproof_formats.snp.product import ProductLine
from cvmproof_simulator.psp import SoftwarePsp

CHIP = SoftwarePsp(ProductLine.GENOA).chip_id
PPID, PLATFORM = "22" * 16, "33" * 16


def test_pins_are_a_policy_of_the_operator_and_demand_nothing_else() -> None:
    (policy,) = read_pins([f"machine:{CHIP.hex()}", f"instance:{'11' * 32}"])
    assert (policy.name, policy.authority) == ("--pin", Authority.OPERATOR)
    assert snp(policy).chip_ids == frozenset({CHIP})
    assert snp(policy).report_ids == frozenset({b"\x11" * 32})
    assert not policy.constrains_software
    assert policy.tdx is None


def test_a_machine_is_a_chip_or_a_processor_by_the_length_of_its_name() -> None:
    (policy,) = read_pins([f"machine:{PPID}", f"machine:{CHIP.hex()}", f"machine:{'44' * 16}"])
    assert snp(policy).chip_ids == frozenset({CHIP})
    assert tdx(policy).ppids == frozenset({b"\x22" * 16, b"\x44" * 16})
    assert not tdx(policy).constrains("platform_instance_ids")


def test_a_platform_is_pinned_by_its_instance_id() -> None:
    (policy,) = read_pins([f"platform:{PLATFORM}", f"machine:{PPID}"])
    assert tdx(policy).platform_instance_ids == frozenset({b"\x33" * 16})
    assert tdx(policy).ppids == frozenset({b"\x22" * 16})
    assert policy.snp is None


def test_no_pin_is_no_policy() -> None:
    assert read_pins([]) == ()


@pytest.mark.parametrize(
    "pin",
    [
        "image:00",
        "machine",
        "machine:00",
        "instance:zz",
        "",
        "platform",
        f"platform:{'11' * 64}",
    ],
)
def test_anything_else_is_refused(pin: str) -> None:
    with pytest.raises(Misuse, match="--pin: expected"):
        read_pins([pin])


def test_a_name_of_another_length_is_refused_with_those_it_may_have() -> None:
    with pytest.raises(Misuse, match=r"expected for machine 64 bytes \(CHIP_ID\) or 16 bytes \(PPID\), got 32"):
        read_pins([f"machine:{'11' * 32}"])
    with pytest.raises(Misuse, match=r"expected for instance 32 bytes \(REPORT_ID\), got 16"):
        read_pins([f"instance:{'11' * 16}"])


def test_nothing_but_zero_names_no_machine_ac_047() -> None:
    with pytest.raises(Misuse, match="not all zero"):
        read_pins([f"machine:{'00' * 16}"])
