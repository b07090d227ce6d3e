"""Patterns of whole structures, compiled when that pays.

Compiling one takes milliseconds, and it saves tens of microseconds each time: nothing for a command that looks at one
quote and ends, much for a process that looks at many.
"""

import re
from functools import cached_property
from typing import AnyStr, Final, Generic

USES_BEFORE: Final = 16
"""How often a structure is read without its pattern."""


class Uses:
    """How often something was wanted, to tell when a pattern for it pays."""

    def __init__(self) -> None:
        self._uses = 0

    def pays(self) -> bool:
        """Tell whether to use it, this time counted: once what it is for has come often enough."""
        self._uses += 1
        return self._uses > USES_BEFORE


class Pattern(Uses, Generic[AnyStr]):
    """A pattern that is compiled when it is first used."""

    def __init__(self, text: AnyStr, flags: int = 0) -> None:
        super().__init__()
        self._text: AnyStr = text
        self._flags = flags

    @cached_property
    def compiled(self) -> re.Pattern[AnyStr]:
        """The pattern to match with."""
        return re.compile(self._text, self._flags)
