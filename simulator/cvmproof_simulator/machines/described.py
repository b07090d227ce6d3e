"""Either kind of SIMULATED machine by its description: "snp", "tdx,version=5", and the options of the two."""

from cvmproof_formats.errors import Misuse
from cvmproof_simulator.machines.snp import SnpMachine, read_snp
from cvmproof_simulator.machines.tdx import TdxMachine, read_tdx

Machine = SnpMachine | TdxMachine


def read_machine(description: str) -> Machine:
    """Read "snp[,OPTION=VALUE]..." or "tdx[,OPTION=VALUE]..."; raises Misuse."""
    kind, *options = description.split(",")
    if kind == "snp":
        return read_snp(options)
    if kind == "tdx":
        return read_tdx(options)
    raise Misuse(f"simulated machine: expected snp or tdx, got {kind!r:.60}")
