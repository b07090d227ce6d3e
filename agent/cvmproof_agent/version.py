"""The version of the distribution that this package came in."""

from functools import cache


@cache
def version() -> str:
    """Look the version up; "unknown" where the package was copied instead of installed."""
    from importlib.metadata import PackageNotFoundError  # noqa: PLC0415 -- asked for seldom, and not cheap
    from importlib.metadata import version as installed  # noqa: PLC0415 -- as the line above

    try:
        return installed("cvmproof")
    except PackageNotFoundError:
        return "unknown"
