"""The system calls that are looked at; numbers from Linux arch/x86/entry/syscalls/syscall_64.tbl."""

from typing import Final

from cvmproof_simulator.devices.notifications import Notified

OPEN: Final = 2
STAT: Final = 4
FSTAT: Final = 5
LSTAT: Final = 6
IOCTL: Final = 16
ACCESS: Final = 21
SOCKET: Final = 41
CONNECT: Final = 42
OPENAT: Final = 257
NEWFSTATAT: Final = 262
FACCESSAT: Final = 269
STATX: Final = 332
OPENAT2: Final = 437
FACCESSAT2: Final = 439
AT_EMPTY_PATH: Final = 0x1000
AF_VSOCK: Final = 40
HOST_CID: Final = 2
"""VMADDR_CID_HOST."""

_FILE_CALLS: Final = (OPEN, STAT, FSTAT, LSTAT, ACCESS, OPENAT, NEWFSTATAT, FACCESSAT, STATX, OPENAT2, FACCESSAT2)
# Linux include/uapi/linux/sev-guest.h and tdx-guest.h, and the older ones that sev_guest and tdx_guest name.
DEVICE_COMMANDS: Final = (
    *(0xC0205300, 0xC0205301, 0xC0205302),
    *(0xC4405401, 0x80315403, 0x40315403, 0x80105404, 0xC0105404, 0xC0105402, 0xC0085401, 0x80085402),
)

NETWORK: Final = (Notified(number=SOCKET, argument=0, values=(AF_VSOCK,)), Notified(number=CONNECT))
"""What keeps AF_VSOCK from the real host."""
DEVICES: Final = (
    *(Notified(number=number) for number in _FILE_CALLS),
    Notified(number=IOCTL, argument=1, values=DEVICE_COMMANDS),
)
"""What makes devices appear."""
