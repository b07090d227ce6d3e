"""Reports and quotes through configfs-tsm: Linux Documentation/ABI/testing/configfs-tsm-report, Linux 6.7 and newer.

One interface for both technologies; the provider that the kernel names says which this guest has. An SNP report is
asked for at the most privileged level that the kernel has a key for (`privlevel_floor`): 0, unless an SVSM runs below.

What an SVSM says about its services is read in `cvmproof_agent.devices.snp.services`, and is not what `report` returns:
there REPORT_DATA is a hash over a manifest, which evidence has no place for and no verifier of ours could compare.
"""

from typing import Final

from cvmproof_agent.device import Device, DeviceLost
from cvmproof_agent.devices.patience import Patience
from cvmproof_agent.devices.refusal import once_more
from cvmproof_agent.devices.tsm_entry import ROOT, Entry, new_entry, remove_stale
from cvmproof_agent.devices.tsm_request import SEV_GUEST, TDX_GUEST, Answer, Wanted, ask
from cvmproof_formats.binding import Tee
from cvmproof_formats.errors import Category, DeviceError

_TEES: Final = {SEV_GUEST: Tee.SEV_SNP, TDX_GUEST: Tee.TDX}
_LEVELS: Final = range(4)  # AMD 56860, VMPL


class ConfigfsTsm:
    """The device of a guest whose kernel has configfs-tsm, of either technology."""

    def __init__(self, root: str = ROOT, *, patience: Patience | None = None) -> None:
        """Look at what it is, removing what a killed process of ours left; at other places for tests only.

        Raises DeviceError.
        """
        self._root, self._patience = root, patience
        remove_stale(root)
        with new_entry(root) as entry:
            self._provider = entry.text("provider")
            self.tee: Tee = _tee_of(self._provider, entry)
            self.vmpl: int | None = _floor(entry) if self.tee is Tee.SEV_SNP else None
        self.name = f"configfs-tsm ({self._provider})"
        self._table = b""
        self._lost: DeviceLost | None = None

    def report(self, report_data: bytes) -> bytes:
        """Get a report or quote over 64 bytes of report data; blocks for as long as the driver does, a minute.

        Raises DeviceError, DeviceLost where the driver's key is gone.
        """
        self._table = b""
        level = (("privlevel", str(self.vmpl)),) if self.vmpl else ()
        answer = self._ask(Wanted(report_data=report_data, provider=self._provider, settings=level))
        self._table = answer.auxblob
        return answer.outblob

    def certificates(self) -> tuple[bytes, ...]:
        """Those that came with the last report, in the same generation."""
        if self.tee is not Tee.SEV_SNP:
            return ()
        from cvmproof_agent.devices.snp.host_certificates import certificates_in  # noqa: PLC0415 -- SNP's alone

        return certificates_in(self._table, source=self.name)

    def event_log(self) -> bytes | None:
        """Read a TD's log of its boot; SNP has no registers that a log would explain."""
        if self.tee is not Tee.TDX:
            return None
        from cvmproof_agent.devices.tdx.boot_log import read_boot_log  # noqa: PLC0415 -- TDX's alone

        return read_boot_log()

    def close(self) -> None:
        """Nothing is held between requests."""

    def _ask(self, wanted: Wanted) -> Answer:
        if self._lost is not None:
            raise once_more(self._lost)
        try:
            return ask(wanted, root=self._root, patience=self._patience)
        except DeviceLost as lost:
            self._lost = lost
            raise


def _tee_of(provider: str, entry: Entry) -> Tee:
    if provider not in _TEES:
        raise DeviceError(
            f"{entry.path}/provider: expected {' or '.join(_TEES)}, got {provider!r:.40}", category=Category.UNSUPPORTED
        )
    return _TEES[provider]


def _floor(entry: Entry) -> int:
    floor = entry.number("privlevel_floor")
    if floor not in _LEVELS:
        raise DeviceError(f"{entry.path}/privlevel_floor: expected a level from 0 to 3, got {floor}")
    return floor


def open_it() -> Device:
    """Open configfs-tsm; raises DeviceError."""
    return ConfigfsTsm()
