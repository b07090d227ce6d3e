"""A SIMULATED device; imported only by `open_device("simulated:...")`, the only module here that knows the simulator.

    snp[,product=Milan|Genoa|Turin][,key=VCEK|VLEK][,version=2..5][,chip=NAME][,vmpl=N][,policy=0x...]
       [,measurement=HEX][,host_data=HEX][,report_id=HEX]

Another chip name is another chip. What is left out is an ordinary guest on a Genoa machine with current firmware.
"""

from collections.abc import Mapping
from typing import Final, TypeVar

from cvmproof_agent.device import Device
from cvmproof_formats.binding import Tee
from cvmproof_formats.encoding import read_hex
from cvmproof_formats.errors import Malformed, Misuse
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.report import VERSIONS
from cvmproof_simulator.psp import ReportFields, SoftwarePsp

_SIZES: Final = {"measurement": 48, "host_data": 32, "report_id": 32}  # bytes, AMD 56860, ATTESTATION_REPORT
_OPTIONS: Final = {"product", "key", "version", "chip", "vmpl", "policy", *_SIZES}
_Choice = TypeVar("_Choice", ProductLine, KeyKind)


class SimulatedSnp:
    """One SIMULATED guest on a SIMULATED chip."""

    tee = Tee.SEV_SNP

    def __init__(self, psp: SoftwarePsp, name: str, fields: ReportFields | None = None) -> None:
        """Take the chip, and what its reports say other than an ordinary guest's."""
        self.name = name
        self._psp, self._fields = psp, fields or ReportFields()
        self._certificates = psp.certificates()

    @property
    def vmpl(self) -> int:
        """The level that its reports carry."""
        return self._fields.get("vmpl", 0)

    def report(self, report_data: bytes) -> bytes:
        """Sign a report."""
        return self._psp.report(report_data, **self._fields)

    def certificates(self) -> tuple[bytes, ...]:
        """Leaf, intermediate and root."""
        return self._certificates

    def event_log(self) -> bytes | None:
        """SNP guests without a vTPM have none."""
        return None

    def close(self) -> None:
        """Nothing is held."""


def open_simulated(description: str) -> Device:
    """Open what stands behind "simulated:"; raises Misuse."""
    tee, *rest = description.split(",")
    if tee != "snp":
        raise Misuse(f"simulated device: expected snp, got {tee!r:.60}")
    options = _read_options(rest)
    psp = SoftwarePsp(
        _choice("product", options.get("product", "Genoa"), ProductLine),
        key=_choice("key", options.get("key", "VCEK"), KeyKind),
        version=_number("version", options.get("version", "5"), VERSIONS),
        chip_secret=f"SIMULATED chip {options['chip']}".encode() if "chip" in options else b"SIMULATED chip",
    )
    return SimulatedSnp(psp, f"simulated:{description}", _read_fields(options))


def _read_options(parts: list[str]) -> Mapping[str, str]:
    options: dict[str, str] = {}
    for part in parts:
        name, _, value = part.partition("=")
        if name not in _OPTIONS or not value or name in options:
            raise Misuse(f"simulated device: expected each of {', '.join(sorted(_OPTIONS))} once, got {part!r:.60}")
        options[name] = value
    return options


def _read_fields(options: Mapping[str, str]) -> ReportFields:
    fields = ReportFields()
    if "vmpl" in options:
        fields["vmpl"] = _number("vmpl", options["vmpl"], range(1 << 32))
    if "policy" in options:
        fields["policy"] = _number("policy", options["policy"], range(1 << 64))
    if "measurement" in options:
        fields["measurement"] = _bytes("measurement", options)
    if "host_data" in options:
        fields["host_data"] = _bytes("host_data", options)
    if "report_id" in options:
        fields["report_id"] = _bytes("report_id", options)
    return fields


def _choice(what: str, value: str, choices: type[_Choice]) -> _Choice:
    try:
        return choices(value)
    except ValueError as error:
        raise Misuse(f"simulated device: {what}: expected one of {', '.join(choices)}, got {value!r:.60}") from error


def _number(what: str, value: str, allowed: range) -> int:
    try:
        number = int(value, 0)
    except ValueError:
        number = -1
    if number not in allowed:
        raise Misuse(
            f"simulated device: {what}: expected a number from {allowed[0]} to {allowed[-1]}, got {value!r:.60}"
        )
    return number


def _bytes(what: str, options: Mapping[str, str]) -> bytes:
    try:
        return read_hex(options[what], what=f"simulated device: {what}", size=_SIZES[what])
    except Malformed as error:
        raise Misuse(str(error)) from error
