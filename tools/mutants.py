"""Change the appraisal in every way mutmut knows, and see that a test notices: `make mutants`.

mutmut expects `src/<package>`; this makes such a tree below `build/mutants` out of our folders and runs it there, so
that the checkout is never touched. Which mutants may survive, and why, stands in `docs/assurance.md`.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STAGE = ROOT / "build" / "mutants"
FOLDERS = ("formats", "policies", "protos", "simulator", "verifier")

# What a verdict rests on, and all of collateral: fetched, taken over, admitted, kept. Not tables, which are made at
# import, before a mutant is switched on; the tests over every check id hold those (questions.py, answering.py).
MUTATED = (
    "src/cvmproof/appraisal.py",
    "src/cvmproof/appraise.py",
    "src/cvmproof/check.py",
    "src/cvmproof/collateral/*.py",
    "src/cvmproof/freshness.py",
    "src/cvmproof/high_water.py",
    "src/cvmproof/report_data/*answers.py",
    "src/cvmproof/signature.py",
    "src/cvmproof/snp/*answers.py",
    "src/cvmproof/snp/case.py",
    "src/cvmproof/snp/chain.py",
    "src/cvmproof/snp/profile.py",
    "src/cvmproof/snp/root.py",
    "src/cvmproof/tdx/*answers.py",
    "src/cvmproof/tdx/backing.py",
    "src/cvmproof/tdx/case.py",
    "src/cvmproof/tdx/chain.py",
    "src/cvmproof/tdx/claims_document.py",
    "src/cvmproof/tdx/dates.py",
    "src/cvmproof/tdx/event_log.py",
    "src/cvmproof/tdx/host.py",
    "src/cvmproof/tdx/link.py",
    "src/cvmproof/tdx/marks.py",
    "src/cvmproof/tdx/profile.py",
    "src/cvmproof/tdx/root.py",
    "src/cvmproof/tdx/signed_info.py",
    "src/cvmproof/tdx/tcb.py",
    "src/cvmproof/tdx/td.py",
    "src/cvmproof/trust.py",
)
# Tests that exercise it, less those of what is remembered (AC-91), since the staged code remembers nothing (see
# `bare`); the others are about channels, processes and commands, or sweeps over parsers and all that is recorded.
TESTS = (
    "tests/verifier/collateral",
    "tests/verifier/report_data",
    "tests/verifier/snp",
    "tests/verifier/tdx",
    "tests/verifier/test_appraisal.py",
    "tests/verifier/test_appraise.py",
    "tests/verifier/test_check.py",
    "tests/verifier/test_freshness.py",
    "tests/verifier/test_high_water.py",
    "tests/verifier/test_signature.py",
    "tests/verifier/test_trust.py",
)
SWEEPS = ("test_differential.py", "test_recorded.py", "test_verdicts.py")  # of tests/verifier/tdx
PYTEST_ARGUMENTS = (
    *("-p", "no:cacheprovider", "-q", "-k", "not ac_091"),
    *(f"--ignore=tests/verifier/tdx/{name}" for name in SWEEPS),
)
# A failure is enough, and nobody reads which: what pytest prepares to explain it takes longer than most tests.
LOOP_ARGUMENTS = ("-s", "-p", "mutant_loop", "--assert=plain", "--tb=native")
# mutmut itself runs the tests of this one only, behind finding out which tests reach what.
FIRST = "cvmproof.collateral.spelled.x_read_one_crl__mutmut_1"
COUNTER = re.compile(r"[\u2800-\u28ff] (?:(\d+)/(\d+) )?")  # mutmut's spinner, then how far it is
RESULT = re.compile(r" *(\S+): ([a-z ]+)")  # as `mutmut results` has it
NOTICED = ("killed", "timeout")
NOT_LOOKED_AT = ("not checked", "skipped")
MUTMUT = str(Path(sys.executable).with_name("mutmut"))
CACHES = ("cache", "lru_cache")
ENOUGH = 0.95

SETTINGS = """\
[tool.mutmut]
source_paths = ["src"]
only_mutate = {only}
also_copy = ["tests", "pyproject.toml", "fixtures", "examples"]
pytest_add_cli_args = {arguments}
pytest_add_cli_args_test_selection = {selection}

[tool.pytest.ini_options]
addopts = ["--import-mode=importlib", "--strict-markers"]
filterwarnings = ["error"]
"""


def bare(source: str) -> str:
    """The source with its module-level functions bare, because mutmut passes over decorated ones.

    A cache is left out: filled before a mutant runs, it would answer in its place. Any other decorator is applied at
    the end of the module instead.
    """
    lines = source.splitlines(keepends=True)
    later = []
    for node in ast.parse(source).body:
        if not isinstance(node, ast.FunctionDef):
            continue
        for decorator in node.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            if not (isinstance(called, ast.Name) and called.id in CACHES):
                later.append(f"{node.name} = {ast.unparse(decorator)}({node.name})\n")
            for number in range(decorator.lineno, (decorator.end_lineno or decorator.lineno) + 1):
                lines[number - 1] = "\n"
    return "".join([*lines, *later])


def listed(values: tuple[str, ...]) -> str:
    """A TOML list."""
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"


def stage() -> None:
    """Make the tree anew; results of an earlier run in `mutants/` stay, mutmut sees itself what changed."""
    for name in ("src", "tests", "fixtures", "examples"):
        shutil.rmtree(STAGE / name, ignore_errors=True)
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, STAGE / "src", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    for path in {path for pattern in MUTATED for path in STAGE.glob(pattern)}:
        path.write_text(bare(path.read_text(encoding="utf-8")), encoding="utf-8")
    for name in ("tests", "fixtures", "examples"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, STAGE / name, ignore=shutil.ignore_patterns("__pycache__"))
    recorded = ROOT.parent / "shared"
    if recorded.is_dir() and not (STAGE / "shared").exists():  # where a checkout in mutants/ looks for it
        (STAGE / "shared").symlink_to(recorded)
    for path in (STAGE / "mutants" / "src").rglob("*"):  # what is no module mutmut copies only where there is none
        if path.is_file() and path.suffix not in {".py", ".meta"}:
            path.unlink()
    shutil.rmtree(STAGE / "mutants" / "tests", ignore_errors=True)
    # mutmut asks only new tests what they reach, but a function that moved is reached by old ones.
    (STAGE / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)
    settings = SETTINGS.format(only=listed(MUTATED), selection=listed(TESTS), arguments=listed(PYTEST_ARGUMENTS))
    (STAGE / "pyproject.toml").write_text(settings, encoding="utf-8")


def mutmut(*arguments: str) -> int:
    """Run mutmut in the staged tree; its exit code. Its counter turns on a terminal only, elsewhere it steps."""
    command = [MUTMUT, *arguments]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    if sys.stdout.isatty():
        return subprocess.run(command, cwd=STAGE, env=environment, check=False).returncode
    with subprocess.Popen(command, cwd=STAGE, env=environment, stdout=subprocess.PIPE, text=True) as run:
        for line in run.stdout or ():
            count = COUNTER.match(line)
            if not count or (count[1] and (int(count[1]) % 100 == 0 or count[1] == count[2])):
                print(line.rstrip(), flush=True)
    return run.returncode


def run_tests(patterns: Sequence[str]) -> int:
    """Run the tests of every mutant whose name fits (`mutant_loop.py`); the exit code."""
    command = [sys.executable, "-m", "pytest", *LOOP_ARGUMENTS, *PYTEST_ARGUMENTS, *TESTS]
    path = os.pathsep.join((str(STAGE / "mutants" / "src"), str(ROOT / "tools")))
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": path, "LOOK_AT": " ".join(patterns)}
    return subprocess.run(command, cwd=STAGE / "mutants", env=environment, check=False).returncode


def looked_at(listing: str, patterns: Sequence[str]) -> dict[str, str]:
    """What became of the mutants that were asked for, by name; all but those that the run did not come to.

    `listing` is what `mutmut results --all true` prints, which tells of an earlier run of others too.
    """
    found = (RESULT.fullmatch(line) for line in listing.splitlines())
    wanted = {one[1]: one[2] for one in found if one and any(fnmatch(one[1], pattern) for pattern in patterns or "*")}
    return {name: status for name, status in wanted.items() if status not in NOT_LOOKED_AT}


def noticed_share(statuses: Mapping[str, str]) -> float:
    """Share of these mutants that a test noticed, a time-out counting as noticed; also printed, with the others."""
    unnoticed = [name for name, status in statuses.items() if status not in NOTICED]
    for name in unnoticed:
        print(f"    {name}: {statuses[name]}")
    noticed, total = len(statuses) - len(unnoticed), len(statuses)
    share = noticed / total if total else 0.0
    print(f"[mutants] {noticed} of {total} noticed: {share:.1%}, wanted {ENOUGH:.0%}")
    return share


def main() -> None:
    """Stage, run, list what survived; exit with 1 if that is too much."""
    stage()
    patterns = sys.argv[1:]
    code = mutmut("run", FIRST) or run_tests(patterns)
    listing = subprocess.run(
        [MUTMUT, "results", "--all", "true"], cwd=STAGE, check=True, capture_output=True, text=True
    ).stdout
    share = noticed_share(looked_at(listing, patterns))
    if code != 0:
        sys.exit(code)
    if share < ENOUGH:
        sys.exit(1)


if __name__ == "__main__":
    main()
