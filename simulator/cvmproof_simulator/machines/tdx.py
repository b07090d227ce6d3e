"""A SIMULATED TD.

    tdx[,version=4|5][,ca=platform|processor][,machine=NAME][,platform=STATUS][,module=STATUS][,qe=STATUS]
       [,td_attributes=0x...][,mr_td=HEX][,mr_config_id=HEX][,mr_owner=HEX][,mr_owner_config=HEX][,command_line=TEXT]

`version` is the quote's: 4 has the body of TDX 1.0, 5 that of TDX 1.5. Another machine name is another machine. STATUS
is what the SIMULATED Intel says of the platform, the TDX module or the quoting enclave, in Intel's spelling, such as
OutOfDate. The kernel's command line is what RTMR2 and the event log follow. What is left out is an ordinary TD on a
machine that is up to date.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, cast

from cvmproof_formats.tdx.header import VERSIONS
from cvmproof_formats.tdx.hierarchy import Ca
from cvmproof_simulator.machines.options import Options, read_bytes, read_choice, read_number, read_options
from cvmproof_simulator.tdx.boot import boot
from cvmproof_simulator.tdx.platform import PCESVNS, QE_SVNS, SoftwarePlatform
from cvmproof_simulator.tdx.quoting_enclave import BodyFields
from cvmproof_simulator.tdx.td import MODULE_1_5, MODULE_SVNS, SoftwareModule, SoftwareTd

_REGISTER_SIZE: Final = 48  # bytes, Intel 348551, TDINFO_STRUCT
_REGISTERS: Final = ("mr_td", "mr_config_id", "mr_owner", "mr_owner_config")
_OF_THE_MACHINE: Final = ("ca", "machine", "platform", "qe")
_OPTIONS: Final = {"version", "module", "td_attributes", "command_line", *_OF_THE_MACHINE, *_REGISTERS}


@dataclass(frozen=True, slots=True, kw_only=True)
class TdxMachine:
    """One SIMULATED TD on a SIMULATED machine, and what its quotes say other than an ordinary TD's."""

    td: SoftwareTd
    version: int = 4
    """Of its quotes."""
    fields: BodyFields = field(default_factory=BodyFields)

    def quote(self, report_data: bytes) -> bytes:
        """Sign a quote over 64 bytes of report data."""
        return self.td.quote(report_data, version=self.version, **self.fields)

    def tdreport(self, report_data: bytes) -> bytes:
        """Give a TDREPORT of 1024 bytes over 64 bytes of report data."""
        return self.td.tdreport(report_data, **self.fields)


def read_tdx(parts: Sequence[str]) -> TdxMachine:
    """Read the options of one; raises Misuse."""
    options = read_options(parts, _OPTIONS)
    version = read_number("version", options.get("version", "4"), range(VERSIONS[0], VERSIONS[-1] + 1))
    td = SoftwareTd(platform=_platform(options))
    if "module" in options:
        status = read_choice("module", options["module"], MODULE_SVNS[MODULE_1_5])
        td = replace(td, module=SoftwareModule.rated(status))
    if "command_line" in options:
        td = replace(td, events=boot(command_line=options["command_line"]))
    return TdxMachine(td=td, version=version, fields=_read_fields(options))


def _platform(options: Options) -> SoftwarePlatform:
    machine = SoftwarePlatform(ca=read_choice("ca", options.get("ca", "platform"), Ca))
    if "machine" in options:
        machine = replace(machine, secret=f"SIMULATED machine {options['machine']}".encode())
    if "platform" in options:
        machine = machine.rated(read_choice("platform", options["platform"], PCESVNS))
    if "qe" in options:
        machine = machine.with_quoting_enclave(read_choice("qe", options["qe"], QE_SVNS))
    return machine


def _read_fields(options: Options) -> BodyFields:
    fields = cast(
        "BodyFields", {name: read_bytes(name, options[name], _REGISTER_SIZE) for name in _REGISTERS if name in options}
    )
    if "td_attributes" in options:
        fields["td_attributes"] = read_number("td_attributes", options["td_attributes"], range(1 << 64))
    return fields
