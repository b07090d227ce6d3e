"""Ends the servers that tests of SIMULATED devices have shared."""

from collections.abc import Iterator

import pytest
from tests.agent.devices.emulated import IDLE


@pytest.fixture(scope="session", autouse=True)
def _servers_end() -> Iterator[None]:
    yield
    while IDLE:
        IDLE.pop().close()
