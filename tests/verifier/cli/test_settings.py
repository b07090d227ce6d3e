"""Settings are harmless, or nothing runs."""

from pathlib import Path

import pytest

from cvmproof.cli.settings import config_file, read_settings
from cvmproof.errors import Misuse


def read(tmp_path: Path, text: str, **environment: str) -> dict[str, str]:
    file = tmp_path / "config.toml"
    file.write_text(text)
    return dict(read_settings(environment, file))


def test_the_environment_goes_over_the_file(tmp_path: Path) -> None:
    text = 'log_level = "info"\nlog_format = "json"\noffline = true\n'
    assert read(tmp_path, text, CVMPROOF_LOG_LEVEL="debug") == {
        "log_level": "debug",
        "log_format": "json",
        "offline": "true",
    }


def test_no_file_and_no_variables_are_no_settings(tmp_path: Path) -> None:
    assert read_settings({"PATH": "/bin"}, tmp_path / "nowhere") == {}


@pytest.mark.parametrize("name", ["POLICY", "FLOOR", "COLLATERAL", "CERTS", "DEVICE", "KDS", "AT", "NONCE", "TYPO"])
def test_what_decides_something_can_not_come_from_the_environment(tmp_path: Path, name: str) -> None:
    with pytest.raises(Misuse, match=f"CVMPROOF_{name}: is not a setting") as caught:
        read(tmp_path, "", **{f"CVMPROOF_{name}": "x"})
    assert caught.value.category == "POLICY_INVALID"


@pytest.mark.parametrize("line", ['policy = "x"', "[trust]\nset = 1", 'device = "simulated:x"', "offline = 1"])
def test_what_decides_something_can_not_come_from_the_file(tmp_path: Path, line: str) -> None:
    with pytest.raises(Misuse, match="configuration"):
        read(tmp_path, line)


@pytest.mark.parametrize("text", ["= nonsense", "\ud800"])
def test_a_file_that_is_not_toml_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(Misuse, match="expected TOML"):
        read_settings({}, file)


def test_a_value_that_a_setting_can_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="expected one of true, false, got perhaps"):
        read(tmp_path, "", CVMPROOF_OFFLINE="perhaps")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"XDG_CONFIG_HOME": "/x"}, "/x/cvmproof/config.toml"),
        ({"XDG_CONFIG_HOME": ""}, "/.config/cvmproof/config.toml"),
    ],
)
def test_the_file_lies_where_configuration_lies(environment: dict[str, str], expected: str) -> None:
    assert config_file(environment).as_posix().endswith(expected)
