"""Settings from the environment and from ~/.config/cvmproof/config.toml: harmless ones, and nothing else.

Whoever sets an environment variable or writes a file in a home folder must not choose whom to trust. Trust set, policy,
device and bundle come from the command line only; where the environment or the file names one, nothing runs at all.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cvmproof.errors import Misuse
from cvmproof.spelling import escape
from cvmproof.trust import refuse_trust_from

PREFIX: Final = "CVMPROOF_"
LOG_LEVELS: Final = ("debug", "info", "warning", "error")
LOG_FORMATS: Final = ("text", "json")
_SWITCH: Final = ("true", "false")
_HARMLESS: Final[Mapping[str, tuple[str, ...]]] = {
    "log_level": LOG_LEVELS,
    "log_format": LOG_FORMATS,
    "offline": _SWITCH,
}
_TRUST: Final = ("trust", "simulat")
_LIMIT: Final = 64 * 1024  # bytes


def read_settings(environment: Mapping[str, str] | None = None, file: Path | None = None) -> Mapping[str, str]:
    """Read the settings: the environment's over the file's; a flag goes over both.

    Raises Misuse for anything that is not a harmless setting, with category SIMULATED for a trust set.
    """
    environment = os.environ if environment is None else environment
    settings = _from_file(file if file is not None else config_file(environment))
    for name, value in environment.items():
        if name.startswith(PREFIX):
            key = name.removeprefix(PREFIX).lower()
            settings[key] = _harmless(key, value, f"environment variable {escape(name)}")
    return settings


def config_file(environment: Mapping[str, str]) -> Path:
    """Say where the configuration lies: $XDG_CONFIG_HOME or ~/.config."""
    folder = environment.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111 -- never raises
    return Path(folder) / "cvmproof" / "config.toml"


def _from_file(path: Path) -> dict[str, str]:
    try:
        with path.open("rb") as file:
            data = file.read(_LIMIT + 1)
    except OSError:
        return {}
    import tomllib

    where = f"configuration {path}"
    try:
        document = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Misuse(f"{where}: expected TOML: {str(error) or type(error).__name__}") from error
    spelled = {True: "true", False: "false"}
    return {
        key: _harmless(key, spelled[value] if isinstance(value, bool) else value, f"{where}: {escape(key)}")
        for key, value in document.items()
    }


def _harmless(key: str, value: object, where: str) -> str:
    if any(word in key for word in _TRUST):
        refuse_trust_from(where, escape(str(value)))
    known = _HARMLESS.get(key)
    if known is None:
        hint = f"settings are {', '.join(_HARMLESS)}; policy, device and collateral are given on the command line"
        raise Misuse(f"{where}: is not a setting", hint=hint)
    if not isinstance(value, str) or value not in known:
        raise Misuse(f"{where}: expected one of {', '.join(known)}, got {escape(str(value))}")
    return value
