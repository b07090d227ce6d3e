"""A SIMULATED SNP guest.

    snp[,product=Milan|Genoa|Turin][,key=VCEK|VLEK][,version=2..5][,chip=NAME][,vmpl=N][,policy=0x...]
       [,measurement=HEX][,host_data=HEX][,report_id=HEX]

Another chip name is another chip. What is left out is an ordinary guest on a Genoa machine with current firmware.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.report import VERSIONS
from cvmproof_simulator.machines.options import Options, read_bytes, read_choice, read_number, read_options
from cvmproof_simulator.psp import ReportFields, SoftwarePsp

_SIZES: Final = {"measurement": 48, "host_data": 32, "report_id": 32}  # bytes, AMD 56860, ATTESTATION_REPORT
_OPTIONS: Final = {"product", "key", "version", "chip", "vmpl", "policy", *_SIZES}


@dataclass(frozen=True, slots=True, kw_only=True)
class SnpMachine:
    """One SIMULATED guest on a SIMULATED chip, and what its reports say other than an ordinary guest's."""

    psp: SoftwarePsp
    fields: ReportFields = field(default_factory=ReportFields)

    @property
    def vmpl(self) -> int:
        """The level that it runs at."""
        return self.fields.get("vmpl", 0)

    def report(self, report_data: bytes, *, vmpl: int | None = None) -> bytes:
        """Sign a report of 1184 bytes over 64 bytes of report data, at its own level unless another one is given."""
        fields = self.fields if vmpl is None else ReportFields(**{**self.fields, "vmpl": vmpl})
        return self.psp.report(report_data, **fields)


def read_snp(parts: Sequence[str]) -> SnpMachine:
    """Read the options of one; raises Misuse."""
    options = read_options(parts, _OPTIONS)
    psp = SoftwarePsp(
        read_choice("product", options.get("product", "Genoa"), ProductLine),
        key=read_choice("key", options.get("key", "VCEK"), KeyKind),
        version=read_number("version", options.get("version", "5"), VERSIONS),
        chip_secret=f"SIMULATED chip {options['chip']}".encode() if "chip" in options else b"SIMULATED chip",
    )
    return SnpMachine(psp=psp, fields=_read_fields(options))


def _read_fields(options: Options) -> ReportFields:
    fields = ReportFields()
    if "vmpl" in options:
        fields["vmpl"] = read_number("vmpl", options["vmpl"], range(1 << 32))
    if "policy" in options:
        fields["policy"] = read_number("policy", options["policy"], range(1 << 64))
    if "measurement" in options:
        fields["measurement"] = _bytes("measurement", options)
    if "host_data" in options:
        fields["host_data"] = _bytes("host_data", options)
    if "report_id" in options:
        fields["report_id"] = _bytes("report_id", options)
    return fields


def _bytes(what: str, options: Options) -> bytes:
    return read_bytes(what, options[what], _SIZES[what])
