"""What every test of the channel may ask for; and that none leaves a thread, a descriptor or a socket file behind."""

import gc
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import grpc
import pytest
from tests.verifier.channel.fake_agent import PROMPT


def descriptors() -> set[str]:
    """What our descriptors lead to, gRPC's own left out: it keeps a few for good."""
    found = set()
    for each in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the folder's own
            found.add(f"{each.name} {each.readlink()}")
    return {each for each in found if "socket:" in each or "cvmproof" in each}


def ours() -> set[threading.Thread]:
    """Our threads that are alive."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("cvmproof")}


def socket_files() -> set[str]:
    """Our folders for sockets."""
    return {path.name for path in Path(tempfile.gettempdir()).glob("cvmproof-*/channel")}


@pytest.fixture(autouse=True)
def _nothing_stays_behind() -> Iterator[None]:
    before = ours(), descriptors(), socket_files()
    yield
    gc.collect()
    ends = time.monotonic() + PROMPT
    while time.monotonic() < ends and not (ours() <= before[0] and descriptors() <= before[1]):
        time.sleep(0.01)
    assert ours() <= before[0]
    assert descriptors() <= before[1]
    assert socket_files() <= before[2]


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[str]:
    """The unix socket of a gRPC server whose every unary method gives back what it got."""
    path = str(tmp_path / "echo")
    server = grpc.server(ThreadPoolExecutor(4))
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(lambda request, _: request)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", {"Say": handler}),))
    server.add_insecure_port(f"unix:{path}")
    server.start()
    yield path
    server.stop(None).wait()
