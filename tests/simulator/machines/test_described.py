"""A machine is described by a word and options; what the agent's simulated device says, the machine says too."""

import pytest

from cvmproof_agent.device import open_device
from cvmproof_formats.errors import Misuse
from cvmproof_formats.snp.report import read_report
from cvmproof_simulator.machines.described import read_machine
from cvmproof_simulator.machines.snp import SnpMachine
from cvmproof_simulator.machines.tdx import TdxMachine

DATA = bytes(range(64))


@pytest.mark.parametrize("description", ["snp", "snp,product=Turin,vmpl=2,policy=0xb0000,version=3,key=VLEK,chip=a"])
def test_an_snp_machine_signs_what_the_agents_device_does(description: str) -> None:
    machine = read_machine(description)
    assert isinstance(machine, SnpMachine)
    assert machine.report(DATA) == open_device(f"simulated:{description}").report(DATA)


@pytest.mark.parametrize("description", ["tdx", "tdx,version=5,machine=a,qe=OutOfDate,ca=processor,module=Revoked"])
def test_a_td_quotes_what_the_agents_device_does(description: str) -> None:
    machine = read_machine(description)
    assert isinstance(machine, TdxMachine)
    assert machine.quote(DATA) == open_device(f"simulated:{description}").report(DATA)


def test_a_report_may_be_of_another_level() -> None:
    machine = read_machine("snp,vmpl=2")
    assert isinstance(machine, SnpMachine)
    assert [read_report(machine.report(DATA, vmpl=level)).vmpl for level in (None, 0, 3)] == [2, 0, 3]


@pytest.mark.parametrize("description", ["", "sgx", "snp,colour=red", "tdx,version=3", "snp,vmpl", "snp,vmpl=1,vmpl=2"])
def test_another_description_is_misuse(description: str) -> None:
    with pytest.raises(Misuse, match="expected"):
        read_machine(description)
