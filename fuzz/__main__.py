"""Fuzz all targets one after the other, or with `--target` one of them in this process."""

import argparse
import subprocess
import sys
from pathlib import Path

import atheris

FOUND = Path(".fuzz")  # corpus and findings, below the working directory
LONGEST_INPUT = 16 * 1024  # bytes; the parsers refuse what is larger than their limits anyway


def fuzz_one(name: str, seconds: int) -> None:
    """Fuzz one target; libFuzzer ends this process, with 77 after a finding."""
    corpus = FOUND / name
    corpus.mkdir(parents=True, exist_ok=True)
    with atheris.instrument_imports(include=["cvmproof", "cvmproof_formats"]):
        from fuzz import targets  # here, so that what it imports is instrumented
    for number, seed in enumerate(targets.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST_INPUT}",
        "-timeout=10",
        "-rss_limit_mb=1024",
        "-verbosity=0",
        f"-artifact_prefix={FOUND / name}-",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], targets.once(name))
    atheris.Fuzz()


def fuzz_all(seconds: int) -> None:
    """Fuzz each target in a process of its own; exit with 1 if any found something."""
    from fuzz.targets import TARGETS  # not at the top: the process that fuzzes must import it instrumented

    each = max(1, seconds // len(TARGETS))
    failed = []
    for name in TARGETS:
        print(f"[fuzz] {name} for {each} s", flush=True)
        command = [sys.executable, "-m", "fuzz", "--target", name, "--seconds", str(each)]
        if subprocess.run(command, check=False).returncode != 0:
            failed.append(name)
    if failed:
        sys.exit(f"[fuzz] another exception than ours came out of: {', '.join(failed)}; inputs are in {FOUND}/")
    print("[fuzz] each input gave a result or one of our errors")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m fuzz")
    parser.add_argument("--target")
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    if options.target:
        fuzz_one(options.target, options.seconds)
    else:
        fuzz_all(options.seconds)


if __name__ == "__main__":
    main()
