"""Settings from the environment: how to log, and nothing else.

Whoever sets an environment variable must not choose the device or switch to a simulated one: where the environment
names anything but a harmless setting, nothing runs at all.
"""

import os
from collections.abc import Mapping
from typing import Final

from cvmproof_agent.logs import FORMATS, LEVELS, escape
from cvmproof_formats.errors import Category, Misuse

PREFIX: Final = "CVMPROOF_"
_KNOWN: Final[Mapping[str, tuple[str, ...]]] = {"LOG_LEVEL": LEVELS, "LOG_FORMAT": FORMATS}
_OTHERS: Final = {"OFFLINE"}  # the verifier's, without a meaning here
_FORBIDDEN: Final = ("SIMULAT", "TRUST")


def read_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Read the settings, by the names of their flags; raises Misuse, SIMULATED for an attempt to simulate."""
    environment = os.environ if environment is None else environment
    found = {}
    for variable, value in environment.items():
        name = variable.removeprefix(PREFIX)
        if name == variable or name in _OTHERS:
            continue
        if name not in _KNOWN:
            raise _refusal(variable, value)
        if value not in _KNOWN[name]:
            raise Misuse(f"{variable}: expected one of {', '.join(_KNOWN[name])}, got {escape(value)!r:.60}")
        found[name.lower()] = value
    return found


def _refusal(variable: str, value: str) -> Misuse:
    category = Category.SIMULATED if any(word in (variable + value).upper() for word in _FORBIDDEN) else None
    return Misuse(
        f"environment variable {escape(variable)}: is not a setting",
        category=category,
        hint="the device and where to listen are given on the command line; the environment may say how to log",
    )
