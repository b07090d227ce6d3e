"""pytest plugin that runs the tests of one mutant after another, each in a process forked behind the collection.

mutmut collects the tests anew for every mutant, which takes many times longer than running them. This reads which
mutants there are and which tests reach them where mutmut wrote it, and writes down there what became of each. It runs
in mutmut's own tree; `LOOK_AT` in the environment has the patterns of the names that are wanted, with spaces between;
without, those are wanted that nobody looked at before.
"""

import json
import os
import resource
import signal
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import NoReturn

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import Phase, settings

LOOK_AT = "LOOK_AT"
# As mutmut has them.
UNDER_TEST = "MUTANT_UNDER_TEST"
SURVIVED, KILLED, NO_TESTS, TIMED_OUT = 0, 1, 33, 36
FEW = 100  # tests
SLOW = 0.3  # seconds
MARKS = {SURVIVED: "survived", KILLED: "killed", NO_TESTS: "without a test", TIMED_OUT: "timed out"}


def function_of(mutant: str) -> str:
    """Name a mutant's function, as mutmut has it."""
    return mutant.rpartition("__mutmut_")[0]


def module_of(mutant: str) -> str:
    """Name a mutant's module."""
    return mutant.rpartition(".")[0]


@dataclass(frozen=True, slots=True)
class Reach:
    """Which tests reach each function, as mutmut saw it when none was mutated."""

    items: dict[str, pytest.Item]
    tests: dict[str, list[str]]
    seconds: dict[str, float]
    noticed: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Which tests noticed another mutant, by its function and by its module."""

    def of(self, mutant: str) -> list[pytest.Item]:
        """Tests that reach a mutant's function: first those that noticed its neighbours, then its module's own."""
        function, module = function_of(mutant), module_of(mutant)
        own = f"/test_{module.rpartition('.')[2]}.py::"

        def order(name: str) -> tuple[bool, bool, bool, bool, float]:
            near, about = name in self.noticed[function], name in self.noticed[module]
            seconds = self.seconds.get(name, 0.0)
            return not near, seconds > SLOW, not about, own not in name, seconds

        found = [name for name in self.tests.get(function, ()) if name in self.items]
        return [self.items[name] for name in sorted(found, key=order)]

    def learn(self, mutant: str, test: str) -> None:
        """Remember which test noticed a mutant."""
        self.noticed[function_of(mutant)].add(test)
        self.noticed[module_of(mutant)].add(test)

    def limit(self, tests: Sequence[pytest.Item]) -> int:
        """Processor time in seconds after which these tests hang: ten times what they took, and some to begin with."""
        return 10 + int(10 * sum(self.seconds.get(test.nodeid, 0.0) for test in tests))


@dataclass(slots=True)
class Results:
    """One file's mutants, in mutmut's own record of them."""

    path: Path
    record: dict[str, dict[str, int | None]] = field(init=False)

    def __post_init__(self) -> None:
        self.record = json.loads(self.path.read_bytes())

    def named(self, patterns: Sequence[str]) -> list[str]:
        """The mutants whose names fit."""
        return [name for name in self.record["exit_code_by_key"] if any(fnmatch(name, each) for each in patterns)]

    @property
    def rest(self) -> list[str]:
        """The mutants that nobody looked at since their function was changed."""
        return [name for name, code in self.record["exit_code_by_key"].items() if code is None]

    def note(self, mutant: str, code: int) -> None:
        """Write down what became of one."""
        self.record["exit_code_by_key"][mutant] = code
        self.path.write_text(json.dumps(self.record, indent=4), encoding="utf-8")


def pytest_collection() -> None:
    """Let hypothesis look for a failure and be content with it, before any test is read."""
    phases = (Phase.explicit, Phase.generate)
    settings.register_profile("mutants", settings(), phases=phases, database=None)
    settings.load_profile("mutants")


def pytest_runtestloop(session: pytest.Session) -> bool:
    """Run each mutant's tests in place of all tests once."""
    stats = json.loads(Path("mutmut-stats.json").read_bytes())
    items = {item.nodeid: item for item in session.items}
    reach = Reach(items, stats["tests_by_mangled_function_name"], stats["duration_by_test"])
    mutants = wanted(os.environ.get(LOOK_AT, "").split())
    if not mutants:
        return True
    every = list(dict.fromkeys(test for _, mutant in mutants for test in reach.of(mutant)))
    if failing := noticed(every, "", reach.limit(every)):
        pytest.exit(f"the tests fail where nothing is mutated: {failing}", returncode=1)
    if not noticed(every, "fail", reach.limit(every)):
        pytest.exit("what the tests import is not what is mutated", returncode=1)
    look_at(mutants, reach)
    return True


def wanted(patterns: Sequence[str]) -> list[tuple[Results, str]]:
    """Every mutant whose name fits, with the record it belongs to; without patterns, those not looked at before."""
    records = (Results(path) for path in sorted(Path("src").rglob("*.meta")))
    return [(one, name) for one in records for name in (one.named(patterns) if patterns else one.rest)]


def look_at(mutants: Sequence[tuple[Results, str]], reach: Reach) -> None:
    """Run the tests of each mutant, as many at a time as there are processors, and note what became of it.

    Those whose tests are quick come first, and last those that the first few tests do not notice: by then more is
    known of which test notices what.
    """
    mutants = sorted(mutants, key=lambda one: reach.limit(reach.of(one[1])))
    counts: Counter[str] = Counter()
    rest = []
    for results, mutant, code in run(mutants, reach, FEW):
        if code == SURVIVED and len(reach.of(mutant)) > FEW:
            rest.append((results, mutant))
        else:
            note(results, mutant, code, counts, len(mutants))
    for results, mutant, code in run(rest, reach):
        note(results, mutant, code, counts, len(mutants))


def note(results: Results, mutant: str, code: int, counts: Counter[str], total: int) -> None:
    """Write down what became of one, and say now and then how far it is."""
    results.note(mutant, code)
    counts[MARKS[code]] += 1
    done = counts.total()
    if done % 100 == 0 or done == total:
        said = ", ".join(f"{count} {mark}" for mark, count in sorted(counts.items()))
        print(f"[mutants] {done} of {total}: {said}", flush=True)


def run(
    mutants: Sequence[tuple[Results, str]], reach: Reach, most: int | None = None
) -> Iterator[tuple[Results, str, int]]:
    """Give each mutant with its exit code, in the order in which they end; `most`: so many tests, not all."""
    running: dict[int, tuple[Results, str, int]] = {}

    def ended() -> tuple[Results, str, int]:
        process, status = os.wait()
        results, mutant, words = running.pop(process)
        with os.fdopen(words, encoding="utf-8") as told:
            if test := told.read():
                reach.learn(mutant, test)
        return results, mutant, meaning(status)

    for results, mutant in mutants:
        if len(running) == (os.cpu_count() or 1):
            yield ended()
        tests = reach.of(mutant)[:most]
        if not tests:
            yield results, mutant, NO_TESTS
            continue
        process, words = start(tests, mutant, reach.limit(tests))
        running[process] = results, mutant, words
    while running:
        yield ended()


def start(tests: Sequence[pytest.Item], mutant: str, limit: int) -> tuple[int, int]:
    """Run tests in a process of their own, with a mutant switched on.

    Gives its id, and where it writes the name of the test that failed, if one did.
    """
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            judge(tests, mutant, limit, writing)
        finally:
            os._exit(KILLED)
    os.close(writing)
    return process, reading


def judge(tests: Sequence[pytest.Item], mutant: str, limit: int, writing: int) -> NoReturn:
    """Run the tests up to the first that fails, and end this process."""
    os.environ[UNDER_TEST] = mutant
    for signal_ in (signal.SIGXCPU, signal.SIGALRM):
        signal.signal(signal_, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
    signal.alarm(3 * limit)  # for what sleeps, on a machine that does other things
    silence = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(silence, descriptor)
    for test, following in zip(tests, (*tests[1:], None), strict=True):
        if any(report.failed for report in runtestprotocol(test, log=False, nextitem=following)):
            os.write(writing, test.nodeid.encode())
            os._exit(KILLED)
    os._exit(SURVIVED)


def noticed(tests: Sequence[pytest.Item], mutant: str, limit: int) -> str:
    """Run tests with a mutant switched on; gives the name of the one that failed or how they ended, "" if well."""
    process, words = start(tests, mutant, limit)
    code = meaning(os.waitpid(process, 0)[1])
    with os.fdopen(words, encoding="utf-8") as told:
        return "" if code == SURVIVED else told.read() or MARKS[code]


def meaning(status: int) -> int:
    """Say in mutmut's codes how a process ended; one that a signal ended was in a loop, or fell over."""
    if os.WIFSIGNALED(status):
        return TIMED_OUT if os.WTERMSIG(status) in {signal.SIGXCPU, signal.SIGALRM, signal.SIGKILL} else KILLED
    return SURVIVED if os.WEXITSTATUS(status) == SURVIVED else KILLED
