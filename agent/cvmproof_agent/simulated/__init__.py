"""SIMULATED devices; imported only by `open_device("simulated:...")`, the only package here that knows the simulator.

    snp[,OPTION=VALUE]...       what cvmproof_simulator.machines.snp lists
    tdx[,OPTION=VALUE]...       what cvmproof_simulator.machines.tdx lists

Each is imported only when it is named.
"""

from importlib import import_module
from typing import Final, cast

from cvmproof_agent.device import Device, Opening
from cvmproof_formats.errors import Misuse

_KINDS: Final = ("snp", "tdx")


def open_simulated(description: str) -> Device:
    """Open what stands behind "simulated:"; raises Misuse."""
    kind, *options = description.split(",")
    if kind not in _KINDS:
        raise Misuse(f"simulated device: expected {' or '.join(_KINDS)}, got {kind!r:.60}")
    opening = cast("Opening", import_module(f"{__name__}.{kind}").open_it)
    return opening(f"simulated:{description}", options)
