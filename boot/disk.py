"""The disk of the virtual machine: Debian, the kernel's modules, our package, and the way to the simulator.

The package is installed as docs/deployment.md says. Beside it stand only the test's own two services in
/usr/lib/cvmproof-boot; of the simulator there is nothing.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from boot.cached import ROOT, cached, contents
from boot.debian import Debian
from boot.running import run

GUEST = ROOT / "boot" / "guest"
SIZE: Final = "700M"
MODULES: Final = (
    "fs/configfs",
    "drivers/virt/coco",
    "drivers/net/virtio_net.ko.xz",
    "drivers/net/net_failover.ko.xz",
    "net/core/failover.ko.xz",
    "net/vmw_vsock",
)
"""The kernel's own that the machine needs, below /lib/modules/RELEASE/kernel."""
_ENABLED = (
    "systemd-networkd.service",
    "cvmproof-boot-relay.service",
    "cvmproof-boot-quotes.service",
    "cvmproof-boot-control.service",
)
_MASKED = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty@tty1.service",
    "serial-getty@ttyS0.service",
    "systemd-networkd-wait-online.service",
)
"""What a machine that lives for a minute does without."""
_PATIENCE: Final = 120.0  # seconds for each step


def disk(debian: Debian, module: Path, packages: Sequence[Path]) -> Path:
    """Make the disk, or find it again; needs root and mke2fs, raises Misuse."""

    def make(folder: Path) -> None:
        system = folder / "system"
        system.mkdir()
        run(["tar", "--extract", "--numeric-owner", "--file", debian.system, "--directory", system], seconds=_PATIENCE)
        _add_modules(system, debian, module)
        _add_services(system)
        _install(system, packages)
        image = folder / "disk.ext4"
        run(["mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", system, image, SIZE], seconds=_PATIENCE)
        shutil.rmtree(system)

    inputs = [*contents(debian.system, module, GUEST, *packages), Path(__file__).read_bytes()]
    return cached("disk", inputs, make) / "disk.ext4"


def _add_modules(system: Path, debian: Debian, module: Path) -> None:
    source = debian.kernel / "lib" / "modules" / debian.release
    target = system / "lib" / "modules" / debian.release
    for name in MODULES:
        place = target / "kernel" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if (source / "kernel" / name).is_dir():
            shutil.copytree(source / "kernel" / name, place)
        else:
            shutil.copy(source / "kernel" / name, place)
    for listing in source.glob("modules.*"):
        shutil.copy(listing, target)
    (target / "extra").mkdir()
    shutil.copy(module, target / "extra")
    _inside(system, "depmod", debian.release)


def _add_services(system: Path) -> None:
    programs = system / "usr" / "lib" / "cvmproof-boot" / "boot" / "guest"
    programs.mkdir(parents=True)
    for name in ("relay.py", "quotes.py", "control.py", "interfaces.py"):
        shutil.copy(GUEST / name, programs)
    shutil.copytree(GUEST / "units", system / "etc" / "systemd" / "system", dirs_exist_ok=True)
    shutil.copy(GUEST / "10-guest.network", system / "etc" / "systemd" / "network")
    shutil.copy(GUEST / "modules.conf", system / "etc" / "modules-load.d" / "cvmproof-boot.conf")
    (system / "etc" / "hostname").write_text("guest\n", "ascii")
    (system / "etc" / "fstab").write_text("", "ascii")
    (system / "etc" / "machine-id").write_text("uninitialized\n", "ascii")
    _inside(system, "systemctl", "enable", *_ENABLED)
    _inside(system, "systemctl", "mask", *_MASKED)


def _install(system: Path, packages: Sequence[Path]) -> None:
    for package in packages:
        shutil.copy(package, system / "tmp")
        _inside(system, "apt-get", "install", "--yes", "-o", "Dpkg::Use-Pty=0", f"/tmp/{package.name}")  # noqa: S108 -- a path in the guest
        (system / "tmp" / package.name).unlink()


def _inside(system: Path, *command: str) -> None:
    run(["chroot", system, *command], seconds=_PATIENCE)
