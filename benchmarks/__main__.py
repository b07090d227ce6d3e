"""Measure everything and print a table; `--json` for machines."""

from benchmarks import calls, device_paths, fleet, footprint, guest, many, processes, setting_up, startup
from benchmarks.figures import measured_apart, show
from benchmarks.rounds import Figure


def measure() -> list[Figure]:
    """Measure all figures; takes five to ten minutes."""
    appraisals = [*measured_apart("benchmarks.snp"), *measured_apart("benchmarks.tdx")]
    agent = [*calls.measure(), *setting_up.measure(), *footprint.measure()]
    devices = [*device_paths.measure(), *guest.measure()]
    others = [*processes.measure(), *startup.measure(), *agent, *devices, *fleet.measure(), *many.measure()]
    return [*appraisals, *others]


if __name__ == "__main__":
    show(measure())
