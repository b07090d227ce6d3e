"""What evidence comes from: one device, opened by name, asked by one thread at a time.

    open_device("auto")                                 the hardware of this guest, by its best interface
    open_device("configfs-tsm")                         that one interface and no other; likewise those in HARDWARE
    open_device("simulated:snp,product=Genoa")          SIMULATED; no production trust set accepts its reports
    open_device("simulated:tdx,version=5")              SIMULATED; nor its quotes

The name comes from a command line or an API argument, never from the environment, and there is no fallback: without
hardware, "auto" is an error and not a simulation.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Final, Protocol, cast

from cvmproof_formats.binding import Tee
from cvmproof_formats.errors import DeviceError, Misuse

SIMULATED: Final = "simulated:"
SIMULATED_HINT: Final = (
    'simulated devices are named in full, such as --device "simulated:snp,product=Genoa" or --device simulated:tdx, and'
    " convince nobody"
)
# Name: "module:function" that opens it. A guest loads those of the devices that it has or is told to use.
HARDWARE: Final[Mapping[str, str]] = {
    "auto": "cvmproof_agent.devices.probing:open_auto",
    "configfs-tsm": "cvmproof_agent.devices.configfs_tsm:open_it",
    "sev-guest": "cvmproof_agent.devices.snp.sev_guest:open_it",
    "tdx-guest": "cvmproof_agent.devices.tdx.tdx_guest:open_it",
}


class DeviceLost(DeviceError):
    """The device will answer nothing any more until the guest restarts, such as after the driver gave up its key."""


class Device(Protocol):
    """A source of reports or quotes; every call may block, and only one thread calls at a time."""

    @property
    def tee(self) -> Tee:
        """Which hardware vouches."""

    @property
    def name(self) -> str:
        """What to call it in a log."""

    @property
    def vmpl(self) -> int | None:
        """The privilege level that its SNP reports must carry; None where any guest level will do, and for quotes."""

    def report(self, report_data: bytes) -> bytes:
        """Get a report or quote over 64 bytes of report data, a quote perhaps with zeros behind; raises DeviceError."""

    def certificates(self) -> tuple[bytes, ...]:
        """What the host supplied with the last report, DER, untrusted; may be empty, and a quote has its own."""

    def event_log(self) -> bytes | None:
        """Read the firmware's event log, None where there is none; raises DeviceError."""

    def close(self) -> None:
        """Let go of it."""


Opening = Callable[[str, Sequence[str]], Device]
"""Opens a simulated device of one technology: its name, and the options in it."""


def open_device(name: str) -> Device:
    """Open a device by name.

    Raises DeviceError where it can't be used, Misuse for a name that no device has.
    """
    if name.startswith(SIMULATED):
        return _open_simulated(name.removeprefix(SIMULATED))
    if name in HARDWARE:
        return open_hardware(name)
    raise Misuse(f"device: expected {', '.join(HARDWARE)} or {SIMULATED}..., got {name!r:.60}", hint=SIMULATED_HINT)


def open_hardware(name: str) -> Device:
    """Open a device of `HARDWARE`; raises DeviceError where it can't be used."""
    module, _, function = HARDWARE[name].partition(":")
    return cast("Callable[[], Device]", getattr(import_module(module), function))()


def _open_simulated(description: str) -> Device:
    try:
        # Here and nowhere else: what runs in a guest doesn't bring the simulator along.
        from cvmproof_agent.simulated import open_simulated  # noqa: PLC0415 -- an extra, as said above

        return open_simulated(description)
    except ModuleNotFoundError as error:
        raise Misuse(
            f"simulated devices need {error.name}: install them with  pip install 'cvmproof[simulator]'"
        ) from error
