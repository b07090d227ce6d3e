"""Measure everything and print a table; `--json` for machines."""

import json
import platform
import sys
from dataclasses import asdict

from benchmarks import calls, device_paths, fleet, footprint, guest, many, material, processes, setting_up, startup, tdx
from benchmarks.rounds import Figure, paired


def measure() -> list[Figure]:
    """Measure all figures; takes five minutes."""
    warm = paired(
        "warm appraisal over the bare P-384 verification in it",
        material.appraise,
        material.bare_report_signature(),
        target=1.10,
        limit=1.25,
    )
    cold = [
        paired(
            f"cold appraisal over its signature checks, {how}",
            material.appraise,
            material.bare_signatures(fresh_keys=fresh),
            target=1.35,
            limit=1.35,
            times=20,
            prepare=material.forget,
        )
        for fresh, how in ((False, "keys loaded before"), (True, "keys loaded with them"))
    ]
    agent = [*calls.measure(), *setting_up.measure(), *footprint.measure()]
    devices = [*device_paths.measure(), *guest.measure()]
    others = [*processes.measure(), *startup.measure(), *agent, *devices, *fleet.measure(), *many.measure()]
    return [warm, *cold, *tdx.measure(), *others]


def main() -> None:
    """Print the figures."""
    figures = measure()
    if "--json" in sys.argv[1:]:
        print(json.dumps([asdict(figure) | {"met": figure.met} for figure in figures], indent=1))
        return
    print(f"Python {platform.python_version()}, {platform.machine()}; ratios are medians of interleaved rounds\n")
    for figure in figures:
        times = f"{figure.contestant_us:9.1f} {figure.unit} over {figure.floor_us:9.1f} {figure.unit}"
        print(f"{figure.ratio:6.2f}  ({_bound(figure)}{figure.met})  {times}  {figure.name}")


def _bound(figure: Figure) -> str:
    return "" if figure.target is None else f"{'at least' if figure.at_least else 'at most'} {figure.target:.2f}: "


if __name__ == "__main__":
    main()
