"""`completion`: the script that a shell needs, from what the commands themselves say; loaded by that command only."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.agent.cli.program import run

ASK = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_shtab_cvmproof_agent
echo "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ([""], {"serve", "own", "collect", "doctor", "extend", "completion"}),
        (["do"], {"doctor"}),
        (["serve", "--l"], {"--listen", "--log-level", "--log-format"}),
        (["serve", "--log-format", ""], {"text", "json"}),
        (["collect", "--n"], {"--nonce"}),
        (["doctor", "--j"], {"--json"}),
        (["completion", ""], {"bash", "zsh"}),
        (["collect", "--out", "FOLDER/ev"], {"FOLDER/evidence.json"}),
        (["--v"], {"--version"}),
    ],
)
def test_bash_completes_commands_options_their_values_and_files(
    words: list[str], completed: set[str], tool: Callable[[str], Path], tmp_path: Path
) -> None:
    script = tmp_path / "script"
    script.write_text(run("completion", "bash").out)
    (tmp_path / "evidence.json").touch()
    typed = [word.replace("FOLDER", str(tmp_path)) for word in words]
    command = [str(tool("bash")), "--norc", "-c", ASK, "bash", str(script), "cvmproof-agent", *typed]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=20)
    assert set(done.stdout.split()) == {word.replace("FOLDER", str(tmp_path)) for word in completed}


def test_zsh_has_its_script_and_another_shell_has_none() -> None:
    ran = run("completion", "zsh")
    assert ran.code == 0
    assert ran.out.startswith("#compdef cvmproof-agent")
    for wrong in (["fish"], [], ["bash", "zsh"]):
        assert run("completion", *wrong).code == 1


def test_what_completes_is_loaded_by_nothing_else() -> None:
    program = (
        "import sys\nfrom cvmproof_agent.cli.main import cli\nlist(cli.commands())\n"
        "import cvmproof_agent.serve\nassert 'shtab' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_without_the_library_it_is_one_sentence_with_the_command() -> None:
    program = "import sys; sys.modules['shtab'] = None; from cvmproof_agent.cli.main import main; main()"
    command = [sys.executable, "-c", program, "completion", "bash"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "pip install 'cvmproof[agent]'" in done.stderr
