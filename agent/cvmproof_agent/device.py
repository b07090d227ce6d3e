"""What evidence comes from: one device, opened by name, asked by one thread at a time.

    open_device("auto")                                 the hardware of this guest
    open_device("simulated:snp,product=Genoa")          SIMULATED; no production trust set accepts its reports
    open_device("simulated:tdx,version=5")              SIMULATED; nor its quotes

The name comes from a command line or an API argument, never from the environment, and there is no fallback: without
hardware, "auto" is an error and not a simulation.
"""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from cvmproof_formats.binding import Tee
from cvmproof_formats.errors import DeviceError, Misuse

SIMULATED: Final = "simulated:"
_HINT = (
    'simulated devices are named in full, such as --device "simulated:snp,product=Genoa" or --device simulated:tdx, and'
    " convince nobody"
)


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
    if name == "auto":
        raise DeviceError("no confidential computing device of a kind known here was found", hint=_HINT)
    raise Misuse(f"device: expected auto or {SIMULATED}..., got {name!r:.60}", hint=_HINT)


def _open_simulated(description: str) -> Device:
    try:
        # Here and nowhere else: what runs in a guest doesn't bring the simulator along.
        from cvmproof_agent.simulated import open_simulated  # noqa: PLC0415 -- an extra, as said above

        return open_simulated(description)
    except ModuleNotFoundError as error:
        raise Misuse(
            f"simulated devices need {error.name}: install them with  pip install 'cvmproof[simulator]'"
        ) from error
