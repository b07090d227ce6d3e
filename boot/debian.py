"""What comes from Debian's archive, in one go: a small system with systemd, and a kernel with what its modules need.

Nothing of it is installed on the machine that builds: mmdebstrap fills a tar archive, and packages are unpacked.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from boot.cached import ROOT, cached
from boot.running import run

SUITE: Final = "bookworm"
KERNEL: Final = "linux-image-6.12-cloud-amd64"
"""Bookworm's security updates have it; the suite's own kernel, 6.1, is older than configfs-tsm."""
PACKAGES: Final = ("systemd", "systemd-sysv", "udev", "dbus", "kmod", "python3")
_OPTIONS = (
    "--mode=root",
    "--variant=minbase",
    "--quiet",
    '--aptopt=APT::Install-Recommends "false"',
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
)
_HOOK = ROOT / "boot" / "guest" / "download-kernel.sh"
_DOWNLOADING: Final = 400.0  # seconds
_UNPACKING: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Debian:
    """What was downloaded."""

    system: Path
    """A tar archive of the root file system."""
    kernel: Path
    """The folder into which the kernel's packages were unpacked."""

    @property
    def release(self) -> str:
        """The kernel's release, as uname(1) says it."""
        return next((self.kernel / "lib" / "modules").iterdir()).name

    @property
    def image(self) -> Path:
        """The kernel that qemu starts."""
        return self.kernel / "boot" / f"vmlinuz-{self.release}"

    @property
    def headers(self) -> Path:
        """The folder in which out-of-tree modules are built."""
        return self.kernel / "usr" / "src" / f"linux-headers-{self.release}"


def debian() -> Debian:
    """Download it, or find it again; needs root and mmdebstrap, raises Misuse."""
    inputs = [SUITE, KERNEL, *PACKAGES, *_OPTIONS, _HOOK.read_text("utf-8")]
    folder = cached("debian", [each.encode() for each in inputs], _download)
    return Debian(system=folder / "system.tar", kernel=folder / "kernel")


def _download(folder: Path) -> None:
    packages = folder / "packages"
    packages.mkdir()
    hooks = (
        f'--customize-hook=sh {_HOOK} "$1" {KERNEL}',
        f"--customize-hook=sync-out /kernel {packages}",
        '--customize-hook=rm -r "$1/kernel"',
    )
    system = folder / "system.tar"
    run(["mmdebstrap", *_OPTIONS, f"--include={','.join(PACKAGES)}", *hooks, SUITE, system], seconds=_DOWNLOADING)
    for package in packages.glob("*.deb"):
        run(["dpkg-deb", "--extract", package, folder / "kernel"], seconds=_UNPACKING)
        package.unlink()
    for makefile in folder.glob("kernel/usr/src/linux-headers-*-amd64/Makefile"):
        # It names the place where the package would be installed.
        common = makefile.parent.name.replace("-cloud-amd64", "-common")
        makefile.write_text(f"include $(dir $(lastword $(MAKEFILE_LIST)))../{common}/Makefile\n", "utf-8")
