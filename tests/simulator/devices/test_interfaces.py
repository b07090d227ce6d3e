"""What a kernel offers is chosen by name, and fits the machine."""

import pytest

from cvmproof_formats.errors import Misuse
from cvmproof_simulator.devices.interfaces import BY_SYSTEM_CALLS, PATHS, Interface, paths, read_interfaces, usual
from cvmproof_simulator.machines.described import read_machine

SNP, TDX = read_machine("snp"), read_machine("tdx")


def test_a_current_kernel_offers_the_new_and_not_the_old() -> None:
    assert usual(SNP) == ("sev-guest", "tsm")
    assert usual(TDX) == ("tdx-guest", "tsm", "measurements", "ccel", "qgs")


def test_interfaces_are_read_once_each() -> None:
    assert read_interfaces("tsm,sev-guest,tsm", SNP) == (Interface.TSM, Interface.SEV_GUEST)


@pytest.mark.parametrize(("text", "machine"), [("tdx-guest", SNP), ("sev-guest", TDX), ("", SNP), ("tsm,x", TDX)])
def test_what_such_a_machine_can_not_have_is_misuse(text: str, machine: object) -> None:
    with pytest.raises(Misuse, match="--kernel: on this machine expected some of "):
        read_interfaces(text, machine)  # type: ignore[arg-type]  # a column of a table


def test_each_path_comes_once() -> None:
    assert paths([Interface.TDX_GUEST_VENDOR, Interface.TDX_GUEST]) == ("/dev/tdx_guest",)
    assert paths(Interface) == tuple(dict.fromkeys(path for found in PATHS.values() for path in found))


def test_without_a_file_system_there_are_devices_only() -> None:
    assert {path.split("/")[1] for path in paths(BY_SYSTEM_CALLS)} == {"dev"}
