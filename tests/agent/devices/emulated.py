"""SIMULATED devices under a folder, as the agent's own devices see them through real system calls; root only."""

import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from cvmproof_agent.devices.configfs_tsm import ConfigfsTsm
from cvmproof_agent.devices.patience import Patience
from cvmproof_agent.devices.snp.sev_guest import SevGuest
from cvmproof_agent.devices.tdx.quote_service import QuoteService
from cvmproof_agent.devices.tdx.tdx_guest import MAINLINE, Interface, TdxGuest
from cvmproof_simulator.devices.harness import Mounted

DATA = bytes(range(64))
ROOT = "/sys/kernel/config/tsm/report"
# Short pauses, and time enough for what passes on a busy machine; tests of patience itself have a clock of their own.
QUICK = Patience(total=10.0, first=0.02, longest=0.05)
BRIEF = Patience(total=0.5, first=0.02, longest=0.05)
"""For what does not pass."""
IDLE: list[Mounted] = []
"""Servers that wait to be another machine; ended with the session."""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount: the launched variants run for everybody")


@contextmanager
def emulated(
    folder: Path,
    machine: str = "snp",
    *,
    faults: Sequence[str] = (),
    leftovers: Sequence[str] = (),
    interfaces: Sequence[str] | None = None,
) -> Iterator[Mounted]:
    """Devices that leave nothing behind: no entry, descriptor or thread, whatever goes wrong on the way."""
    place = folder / "machine"
    place.mkdir(parents=True)
    # Starting a server takes far longer than letting one be another machine.
    devices = IDLE.pop() if IDLE else Mounted()
    devices.renew(machine, faults=faults, leftovers=leftovers, interfaces=interfaces)
    devices.mount(place)
    before = _held()
    try:
        yield devices
        if "tsm" in devices.interfaces:
            assert set(devices.entries()) <= set(leftovers)
        assert _held() == before
    finally:
        devices.unmount()
        IDLE.append(devices)


def _held() -> tuple[int, int]:
    return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()


@contextmanager
def sev_guest(devices: Mounted, *, patience: Patience = QUICK, certificates_size: int = 0x4000) -> Iterator[SevGuest]:
    device = SevGuest(
        str(devices.path("/dev/sev-guest")),
        vmpl_file=str(devices.folder / "no vmpl"),
        patience=patience,
        certificates_size=certificates_size,
    )
    try:
        yield device
    finally:
        device.close()


def tsm_root(devices: Mounted) -> str:
    return str(devices.path(ROOT))


def configfs(devices: Mounted, *, patience: Patience = QUICK) -> ConfigfsTsm:
    return ConfigfsTsm(tsm_root(devices), patience=patience)


@contextmanager
def tdx_guest(
    devices: Mounted, *, interface: Interface = MAINLINE, seconds: float = 10.0, patience: Patience = QUICK
) -> Iterator[TdxGuest]:
    def connect(port: int, *, seconds: float) -> socket.socket:
        assert port == 4050
        made = devices.connect_to_the_quoting_service()
        made.settimeout(seconds)
        return made

    device = TdxGuest(
        Interface(str(devices.path(interface.path)), interface.tdreport, interface.quotes),
        service=QuoteService(connect, configuration="/none", seconds=seconds),
        patience=patience,
    )
    try:
        yield device
    finally:
        device.close()
