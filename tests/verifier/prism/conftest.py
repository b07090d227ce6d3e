"""Each test runs with both clients, against a scripted server."""

from collections.abc import Iterator
from functools import partial

import pytest
from tests.verifier.prism.scripted import Open, Prism, Server, open_either

from cvmproof.prism.asynchronous import AsyncPrismClient
from cvmproof.prism.client import PrismClient


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture(params=[PrismClient, AsyncPrismClient], ids=["blocking", "asyncio"])
def connect(request: pytest.FixtureRequest) -> Open:
    return partial(open_either, request.param)


@pytest.fixture
def prism(server: Server, connect: Open) -> Prism:
    return connect(server.url)
