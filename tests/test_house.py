"""Rules of the house that can be read off the files themselves, each with a proof that it would see a breach."""

import ast
import io
import re
import tempfile
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("agent", "formats", "policies", "protos", "simulator", "verifier")
FOLDERS = (*PACKAGES, "tests", "tools", "benchmarks", "boot", "examples", "fuzz")
PAPERS = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs")
MACHINERY = ("Makefile", "pyproject.toml", "requirements", ".ci", ".github")
GENERATED = re.compile(r"_pb2\.pyi?$")

# What decides trust takes the time as an argument; these parts of the verifier are where it comes in.
CLOCK_RIM = ("verifier/cvmproof/channel/", "verifier/cvmproof/cli/", "verifier/cvmproof/collateral/")
CLOCKS = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("time", "time")}
CLOCKS |= {("time", "time_ns")}

FORBIDDEN = {
    "certificate checks switched off": re.compile(r"verify\s*=\s*False"),
    "certificate checks left out": re.compile(r"CERT_NONE|check_hostname\s*=\s*False|_create_unverified_context"),
    "a loader that runs what it reads": re.compile(r"\byaml\.(unsafe_)?load\b|\bpickle\b|\bmarshal\b|\bshelve\b"),
    "code made from strings": re.compile(r"(?<![\w.])(eval|exec)\("),
    "a shell": re.compile(r"shell\s*=\s*True|\bos\.system\("),
}
# One module writes code: constructors, of names of fields alone, as the standard library does for dataclasses.
ALLOWED = {"formats/cvmproof_formats/record.py": ["code made from strings"]}
SILENT_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base", "handler"}
LONGEST_FUNCTION = 60  # lines
SILENCED = re.compile(r"#\s*(noqa|type:\s*ignore|pragma:\s*no\b)")
# A rule or an error is named, and beside it stands why; one reason may serve several on a line.
NAMED = re.compile(
    r"#\s*(noqa: [A-Z]+[0-9]+(, ?[A-Z]+[0-9]+)*|type: ignore\[[a-z, -]+\]|pragma: no (cover|branch|mutate))"
)
REASON = re.compile(r"(--?|#).*[A-Za-z]{2}")
TOP_OF_README = 20  # lines


def files(*folders: str, suffix: str = "") -> Iterator[Path]:
    """Files below folders (or those files themselves), without caches and generated stubs."""
    for folder in folders:
        path = ROOT / folder
        for file in sorted([path] if path.is_file() else path.rglob("*")):
            left_out = "__pycache__" in file.parts or GENERATED.search(file.name)
            if file.is_file() and file.name.endswith(suffix) and not left_out:
                yield file


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


CODE = {short(path): path.read_text(encoding="utf-8") for path in files(*PACKAGES, suffix=".py")}
EVERY_MODULE = {short(path): path.read_text(encoding="utf-8") for path in files(*FOLDERS, suffix=".py")}


def forbidden(source: str) -> list[str]:
    return [what for what, pattern in FORBIDDEN.items() if pattern.search(source)]


def swallowed(source: str) -> list[int]:
    """Lines of `except:` and of an `except ...: pass` that swallows everything."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (_is_everything(node.type) and isinstance(node.body[0], ast.Pass | ast.Continue)))
    ]


def _is_everything(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in {"Exception", "BaseException"}


def asserts(source: str) -> list[int]:
    return [node.lineno for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assert)]


def clocks(source: str) -> list[int]:
    """Lines that name a clock, called or not."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and (_last_name(node.value), node.attr) in CLOCKS
    ]


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def long_functions(source: str) -> list[str]:
    return [
        f"{node.name} ({length} lines)"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_FUNCTION
    ]


def unexplained(source: str) -> list[int]:
    """Lines whose comment silences a tool without naming what, or without saying why."""
    comments = [
        token for token in tokenize.generate_tokens(io.StringIO(source).readline) if token.type == tokenize.COMMENT
    ]
    return [
        token.start[0]
        for token in comments
        if SILENCED.search(token.string)
        and (SILENCED.search(rest := NAMED.sub("", token.string)) or not REASON.search(rest))
    ]


@pytest.mark.parametrize("name", CODE)
def test_a_module_contains_nothing_that_switches_security_off(name: str) -> None:
    assert forbidden(CODE[name]) == ALLOWED.get(name, [])


@pytest.mark.parametrize("name", CODE)
def test_no_exception_is_swallowed_unnamed(name: str) -> None:
    assert swallowed(CODE[name]) == []


@pytest.mark.parametrize("name", CODE)
def test_nothing_rests_on_an_assert_that_python_may_leave_out(name: str) -> None:
    assert asserts(CODE[name]) == []


@pytest.mark.parametrize("name", [n for n in CODE if n.startswith("verifier/") and not n.startswith(CLOCK_RIM)])
def test_ac_050_the_core_of_the_verifier_reads_no_clock(name: str) -> None:
    assert clocks(CODE[name]) == []


@pytest.mark.parametrize("name", [n for n in CODE if n.startswith("formats/")])
def test_ac_050_formats_read_no_clock(name: str) -> None:
    assert clocks(CODE[name]) == []


@pytest.mark.parametrize("name", EVERY_MODULE)
def test_a_function_fits_on_a_screen(name: str) -> None:
    assert long_functions(EVERY_MODULE[name]) == []


@pytest.mark.parametrize("name", EVERY_MODULE)
def test_whoever_silences_a_tool_says_why(name: str) -> None:
    assert unexplained(EVERY_MODULE[name]) == []


@pytest.mark.parametrize("name", [n for n in EVERY_MODULE if not n.startswith("tests/")])
def test_a_module_says_what_it_is(name: str) -> None:
    assert ast.get_docstring(ast.parse(EVERY_MODULE[name])), f"{name} has no docstring"


@pytest.mark.parametrize("name", EVERY_MODULE)
def test_a_file_is_named_for_its_idea(name: str) -> None:
    assert Path(name).stem not in SILENT_NAMES


def test_each_package_tells_type_checkers_that_it_is_typed() -> None:
    packages = [path.parent for folder in PACKAGES for path in (ROOT / folder).glob("*/__init__.py")]
    assert len(packages) >= len(PACKAGES)
    assert [short(package) for package in packages if not (package / "py.typed").is_file()] == []


@pytest.mark.parametrize("command", ["make demo", "make test"])
def test_the_readme_starts_with_its_two_commands(command: str) -> None:
    top = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:TOP_OF_README]
    assert any(command in line for line in top)


def test_no_path_of_this_machine_stands_in_a_file() -> None:
    places = {str(Path.home()), str(ROOT.parent)} - {"/", "/home", tempfile.gettempdir()}
    pattern = re.compile("|".join(rf"(?<![\w.]){re.escape(place)}/" for place in places) or r"(?!)")
    found = [
        short(path)
        for path in files(*FOLDERS, *PAPERS, *MACHINERY)
        if pattern.search(path.read_text("utf-8", "replace"))
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    ["httpx.get(u, verify=False)", "ctx.verify_mode = ssl.CERT_NONE", "yaml.load(f)", "import pickle", "eval(x)"],
)
def test_a_forbidden_line_would_be_seen(line: str) -> None:
    assert len(forbidden(line)) == 1


def test_a_swallowed_exception_would_be_seen() -> None:
    assert swallowed("try:\n    f()\nexcept:\n    raise") == [3]
    assert swallowed("try:\n    f()\nexcept Exception:\n    pass") == [3]
    assert swallowed("try:\n    f()\nexcept ValueError:\n    pass") == []


def test_a_clock_would_be_seen() -> None:
    assert clocks("datetime.datetime.now(UTC)\ntime.time()\nf(now=datetime.now)") == [1, 2, 3]
    assert clocks("now.time()\nself.now()") == []


def test_an_assert_and_a_long_function_would_be_seen() -> None:
    assert asserts("def f(x):\n    assert x") == [2]
    assert long_functions("def f():\n" + "    g()\n" * 60) == ["f (61 lines)"]
    assert long_functions("def f():\n" + "    g()\n" * 59) == []


@pytest.mark.parametrize(
    "comment",
    [
        "# noqa: PLC0415",
        "# noqa: PLC0415 --",
        "# noqa",
        "# noqa -- all of them",
        "# type: ignore",
        "# type: ignore  # mypy is wrong",
        "# type: ignore[arg-type]",
        "# type: ignore[arg-type] # noqa: ANN401",
        "# pragma: no cover",
    ],
)
def test_a_tool_silenced_without_a_reason_would_be_seen(comment: str) -> None:
    assert unexplained(f"x = 1\ny = 2  {comment}\n") == [2]


@pytest.mark.parametrize(
    "comment",
    [
        "# noqa: PLC0415 -- slow to load",
        "# noqa: S311, S105 - not a secret",
        "# type: ignore[arg-type]  # that is the point",
        "# type: ignore[override] # noqa: ANN401 -- click's overloads",
        "# what `noqa` is for",
    ],
)
def test_a_tool_silenced_with_a_reason_is_left_alone(comment: str) -> None:
    assert unexplained(f"y = 2  {comment}\n") == []
