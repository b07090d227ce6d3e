"""The verifier's memory while it appraises evidence of more machines than it remembers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

# KiB, over 2,000 or 100,000 TDX appraisals. Measured are 30 to 200: an appraisal that left one quote behind
# would go over it after 110.
MAY_ADD = 512
APPRAISALS = {"quick": 2_000, "full": 100_000}


def test_memory_is_flat_over_many_tdx_appraisals(root: Path, pytestconfig: pytest.Config) -> None:
    count = APPRAISALS[pytestconfig.getoption("--sweep")]
    command = [sys.executable, "-m", "benchmarks.many", "tdx", str(count)]
    ended = subprocess.run(command, cwd=root, capture_output=True, check=True, text=True)
    found = json.loads(ended.stdout)
    assert found["late_kib"] - found["early_kib"] < MAY_ADD
