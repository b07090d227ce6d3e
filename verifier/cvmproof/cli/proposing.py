"""Values of options that a shell proposes; others are taken as well, since an API may have more."""

from collections.abc import Callable

import click

Propose = Callable[[click.Context, click.Parameter, str], list[str]]


def propose(*known: str) -> Propose:
    """Make what click asks for the values that complete what was typed."""

    def complete(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
        return [value for value in known if value.startswith(incomplete)]

    return complete
