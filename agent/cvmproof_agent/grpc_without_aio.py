"""Imports gRPC without `grpc.aio`, which the agent has no use for.

`import grpc` brings it along: half a megabyte, and a twentieth of the time that the agent's imports take. Whoever
imports `grpc.aio` afterwards still gets it.
"""

import sys
from types import ModuleType
from typing import Final

_AIO: Final = "grpc.aio"


def import_grpc() -> None:
    """Import gRPC; where it is imported already, that stays as it is."""
    if "grpc" in sys.modules:
        return
    sys.modules[_AIO] = nothing = ModuleType(_AIO)
    try:
        import grpc  # noqa: PLC0415 -- not before its other half has been taken out of its way
    finally:
        del sys.modules[_AIO]
    if vars(grpc).get("aio") is nothing:
        del grpc.aio
