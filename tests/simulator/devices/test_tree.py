"""The tree mirrors the real paths, and holds what was chosen and nothing else."""

from collections.abc import Iterator

import pytest

from cvmproof_simulator.devices.faults import Faults
from cvmproof_simulator.devices.interfaces import Interface, paths
from cvmproof_simulator.devices.nodes import File, Folder
from cvmproof_simulator.devices.tree import Guest
from cvmproof_simulator.machines.described import read_machine

SNP = [Interface.SEV_GUEST, Interface.TSM]
TDX = [each for each in Interface if each is not Interface.SEV_GUEST]


def leaves(folder: Folder, path: str = "") -> Iterator[str]:
    """Files, and folders that are empty."""
    for name, node in folder.members.items():
        below = list(leaves(node, f"{path}/{name}")) if isinstance(node, Folder) else []
        yield from below or [f"{path}/{name}"]


@pytest.mark.parametrize(("machine", "interfaces"), [("snp", SNP), ("tdx", TDX)])
def test_every_interface_stands_where_it_is_said_to_be(machine: str, interfaces: list[Interface]) -> None:
    guest = Guest(read_machine(machine), interfaces, Faults())
    for path in paths(interfaces):
        assert any(leaf.startswith(path) for leaf in leaves(guest.root))
    assert all(leaf.startswith(paths(interfaces)) for leaf in leaves(guest.root))


@pytest.mark.parametrize("interface", TDX)
def test_one_interface_comes_alone(interface: Interface) -> None:
    guest = Guest(read_machine("tdx"), [interface], Faults())
    assert all(leaf.startswith(paths([interface])) for leaf in leaves(guest.root))
    assert bool(guest.devices) == any(path.startswith("/dev/") for path in paths([interface]))
    assert all(isinstance(device, File) for device in guest.devices.values())


def test_leftovers_need_a_place() -> None:
    guest = Guest(read_machine("snp"), [Interface.SEV_GUEST], Faults())
    guest.leave("entry")
    assert guest.entries() == ()
