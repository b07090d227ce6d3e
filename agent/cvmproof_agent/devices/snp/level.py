"""The privilege level (VMPL) that the kernel runs at: 0 unless something more privileged is in the guest below it."""

from pathlib import Path
from typing import Final

from cvmproof_formats.errors import DeviceError

VMPL_FILE: Final = "/sys/devices/system/cpu/sev/vmpl"  # Linux Documentation/ABI/testing/sysfs-devices-system-cpu
LEVELS: Final = range(4)  # AMD 56860, MSG_REPORT_REQ


def current_vmpl(path: str = VMPL_FILE) -> int:
    """Read it; 0 where the kernel has no word on it, as before Linux 6.11. Raises DeviceError for anything else."""
    try:
        text = Path(path).read_text("ascii", "replace")
    except FileNotFoundError:
        return LEVELS[0]
    except OSError as error:
        raise DeviceError(
            f"{path}: can't be read: {error.strerror}", path=path, call="read", errno=error.errno
        ) from error
    return read_level(text, path=path)


def read_level(text: str, *, path: str) -> int:
    """Read a level as the kernel writes it; raises DeviceError."""
    if text.strip() not in map(str, LEVELS):
        raise DeviceError(f"{path}: expected a VMPL from 0 to 3, got {text!r:.20}", path=path, call="read")
    return int(text)
