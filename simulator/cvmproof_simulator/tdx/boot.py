"""What a SIMULATED TD measures while it boots: the events of its log (CCEL), of the kinds that real ones have.

    SIMULATED_BOOT                                         firmware, boot loader, kernel
    boot(command_line="console=hvc0 evil=1")               another one
    event(3, EVENT_TAG, b"my application")                 one more, for RTMR3

TCG PC Client Platform Firmware Profile 1.06, section 10.4, and UEFI 2.11 section 38.4.
"""

import hashlib
import struct
from typing import Final

from cvmproof_formats.tdx.event_log import (
    EV_EFI_ACTION,
    EV_EFI_VARIABLE_BOOT2,
    EV_EFI_VARIABLE_DRIVER_CONFIG,
    EV_IPL,
    EV_SEPARATOR,
    Event,
)

EV_EFI_BOOT_SERVICES_APPLICATION: Final = 0x80000003
EV_EFI_HANDOFF_TABLES2: Final = 0x8000000B
EV_EVENT_TAG: Final = 0x00000006

SIMULATED_COMMAND_LINE: Final = "root=/dev/vda1 ro console=hvc0"
SIMULATED_KERNEL: Final = b"SIMULATED kernel"
SIMULATED_INITRD: Final = b"SIMULATED initrd"

_GLOBAL_VARIABLE: Final = bytes.fromhex(
    "61dfe48bca93d211aa0d00e098032b8c"
)  # EFI_GLOBAL_VARIABLE, UEFI 2.11 section 3.3
_FIRMWARE: Final = (0, 1)
_EXIT: Final = (b"Exit Boot Services Invocation", b"Exit Boot Services Returned with Success")


def event(rtmr: int, kind: int, data: bytes, *, measured: bytes | None = None, digest: bytes | None = None) -> Event:
    """An event that extends an RTMR by the SHA-384 of what was measured: the data itself, unless told otherwise.

    `digest` (48 bytes) is written as it is.
    """
    if digest is None:
        digest = hashlib.sha384(data if measured is None else measured).digest()
    return Event(index=rtmr + 1, type=kind, digest=digest, data=data)


def boot(
    *,
    secure_boot: bool = True,
    kernel: bytes = SIMULATED_KERNEL,
    initrd: bytes = SIMULATED_INITRD,
    command_line: str = SIMULATED_COMMAND_LINE,
) -> tuple[Event, ...]:
    """The events of a boot: RTMR0 is firmware's configuration, RTMR1 the kernel, RTMR2 its command line and initrd."""
    line = command_line.encode()
    return (
        event(0, EV_EFI_HANDOFF_TABLES2, b"TD HOB", measured=b"SIMULATED TD HOB"),
        event(0, EV_EFI_VARIABLE_DRIVER_CONFIG, variable("SecureBoot", bytes((secure_boot,)))),
        event(0, EV_EFI_VARIABLE_BOOT2, variable("BootOrder", bytes(2))),
        event(1, EV_EFI_BOOT_SERVICES_APPLICATION, b"SIMULATED image load", measured=kernel),
        *(event(rtmr, EV_SEPARATOR, bytes(4)) for rtmr in _FIRMWARE),
        *(event(1, EV_EFI_ACTION, data) for data in _EXIT),
        event(2, EV_IPL, b"kernel_cmdline: " + line + b"\0", measured=line),
        event(2, EV_EVENT_TAG, b"Linux initrd", measured=initrd),
    )


def variable(name: str, data: bytes) -> bytes:
    """UEFI_VARIABLE_DATA of one of UEFI's global variables."""
    return struct.pack("<16sQQ", _GLOBAL_VARIABLE, len(name), len(data)) + name.encode("utf-16-le") + data


SIMULATED_BOOT: Final = boot()
