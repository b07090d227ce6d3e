"""Reports and quotes through each of the kernel's interfaces, over emulated devices.

The devices are served through FUSE, which root alone may mount. The floor of each path is the bare ioctl on the same
node with the same machine behind it, a signature included where the path has one in it: what is left is what the path
costs. Time that passes counts, for the device is another process.
"""

import os
import socket
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from ctypes import addressof
from pathlib import Path

from benchmarks.rounds import Figure, Round
from cvmproof_agent.attester import DeviceAttester
from cvmproof_agent.devices.configfs_tsm import ConfigfsTsm
from cvmproof_agent.devices.node import Node
from cvmproof_agent.devices.snp import abi as snp
from cvmproof_agent.devices.snp.sev_guest import SevGuest
from cvmproof_agent.devices.tdx.quote_service import QuoteService
from cvmproof_agent.devices.tdx.tdreport_ioctl import mainline_tdreport
from cvmproof_agent.devices.tdx.tdx_guest import PATH as TDX_GUEST
from cvmproof_agent.devices.tdx.tdx_guest import Interface, TdxGuest
from cvmproof_agent.limits import Limits
from cvmproof_agent.named_socket import listen_at
from cvmproof_agent.owner.client import OwnedDevice
from cvmproof_agent.owner.device_owner import DeviceOwner
from cvmproof_agent.statement import NonceStatement
from cvmproof_formats.binding import Role
from cvmproof_simulator.devices.harness import Mounted, mounted

ROUNDS = 11
TIMES = 20  # reports a turn
_DATA = bytes(range(64))
_STATEMENT = NonceStatement(role=Role.SERVER, nonce=bytes(32))
_TSM = "/sys/kernel/config/tsm/report"
_FAST = 1e6  # a second: the owner's own pace is not what is measured
Work = Callable[[], object]


def measure() -> list[Figure]:
    """Measure both technologies; nothing where the devices can't be mounted."""
    if os.geteuid() != 0:
        return []
    with tempfile.TemporaryDirectory() as name:
        return [*_snp(Path(name)), *_tdx(Path(name))]


def _snp(scratch: Path) -> list[Figure]:
    with ExitStack() as stack:
        devices = _mounted(stack, scratch / "snp", "snp")
        node = Node(str(devices.path("/dev/sev-guest")), {})
        stack.callback(node.close)
        device = SevGuest(node.path)
        stack.callback(device.close)
        tsm = ConfigfsTsm(str(devices.path(_TSM)))
        owned = _owned(stack, scratch / "device.sock", tsm)

        def bare() -> bytes:
            return _bare_report(node)

        return [
            _figure("sev-guest, with certificates", lambda: device.report(_DATA), bare),
            _figure("configfs-tsm of SNP", lambda: tsm.report(_DATA), bare),
            _figure("configfs-tsm of SNP and its owner", lambda: owned.attest(_STATEMENT), bare),
        ]


def _tdx(scratch: Path) -> list[Figure]:
    with ExitStack() as stack:
        devices = _mounted(stack, scratch / "tdx", "tdx")
        interface = Interface(str(devices.path(TDX_GUEST)), mainline_tdreport, ())
        service = QuoteService(_Service(devices))
        device = TdxGuest(interface, service=service)
        stack.callback(device.close)
        tsm = ConfigfsTsm(str(devices.path(_TSM)))
        node = Node(interface.path, {})
        stack.callback(node.close)

        def bare() -> bytes:
            return service.quote(mainline_tdreport(node, _DATA))

        return [
            _figure("tdx-guest and its quoting service", lambda: device.report(_DATA), bare),
            _figure("configfs-tsm of TDX", lambda: tsm.report(_DATA), bare),
        ]


class _Service:
    """Connects to the machine's own quoting service in place of a host's."""

    def __init__(self, devices: Mounted) -> None:
        self._devices = devices

    def __call__(self, port: int, *, seconds: float) -> socket.socket:  # noqa: ARG002 -- as such a service is called
        return self._devices.connect_to_the_quoting_service()


def _mounted(stack: ExitStack, folder: Path, machine: str) -> Mounted:
    folder.mkdir()
    return stack.enter_context(mounted(folder, machine=machine))


def _owned(stack: ExitStack, path: Path, device: ConfigfsTsm) -> OwnedDevice:
    listening = stack.enter_context(listen_at(path, 0o600))
    limits = Limits(reports_per_second=_FAST, report_burst=int(_FAST))
    owner = DeviceOwner(DeviceAttester(device), listening, uids=frozenset({0}), limits=limits)
    stack.enter_context(owner)
    stack.callback(owner.stop, 5)
    return OwnedDevice(path)


def _bare_report(node: Node) -> bytes:
    """SNP_GET_REPORT, and nothing else."""
    wanted, response = snp.ReportRequest(), snp.ReportResponse()
    request = snp.GuestRequest(msg_version=1, req_data=addressof(wanted), resp_data=addressof(response))
    node.ask(snp.GET_REPORT, request)
    return bytes(response)


def _figure(name: str, contestant: Work, floor: Work) -> Figure:
    for work in (floor, contestant) * 3:
        work()
    rounds: list[Round] = [(_turn(floor), _turn(contestant), _turn(floor)) for _ in range(ROUNDS)]
    return Figure.of(f"a report or quote through {name}, over the bare ioctls, time that passes", rounds, limit=None)


def _turn(work: Work) -> float:
    """The median of what one took, in microseconds."""
    waits: list[float] = []
    for _ in range(TIMES):
        start = time.perf_counter()
        work()
        waits.append((time.perf_counter() - start) * 1e6)
    return statistics.median(waits)
