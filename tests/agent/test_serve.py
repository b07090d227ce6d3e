"""Start and stop: a fresh key each time, nothing left behind, and no more than a few seconds to end."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from tests.agent.machine import Client, FakeDevice, bridged, eventually, pinned, serving, unary

from cvmproof_agent.private_socket import PREFIX
from cvmproof_agent.serve import Agent
from cvmproof_formats.errors import EndpointError


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def left_behind() -> list[str]:
    return [path.name for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}{os.getpid()}-*")]


def test_each_start_makes_another_key() -> None:
    keys = set()
    for _ in range(3):
        with serving() as agent, Client(agent.address) as client:
            keys.add(client.spki)
    assert len(keys) == 3


def test_an_address_that_is_taken_is_an_endpoint_error_and_closes_nothing_of_others() -> None:
    with serving() as agent:
        with pytest.raises(EndpointError, match=r"can't listen on 127\.0\.0\.1 port \d+: Address already in use"):
            Agent(FakeDevice(), agent.address).start()
        with Client(agent.address) as client:
            assert client.ask().HasField("evidence")


def test_ipv6_is_an_address_like_any_other() -> None:
    with Agent(FakeDevice(), ("::1", 0)) as agent, Client(agent.address, source="::1") as client:
        assert client.ask().HasField("evidence")


def test_no_socket_has_a_name_while_it_runs() -> None:
    with serving():
        assert left_behind() == []


def test_ac_118_stopping_leaves_no_thread_descriptor_or_file() -> None:
    with serving():
        pass  # what is made once for the whole process
    threads = set(threading.enumerate())
    before = descriptors()
    for _ in range(3):
        with serving() as agent, Client(agent.address) as client, pinned(agent) as channel:
            client.ask()
            unary(channel, "/grpc.health.v1.Health/Check")(b"", timeout=5)
    eventually(lambda: set(threading.enumerate()) <= threads)
    eventually(lambda: descriptors() <= before)
    assert left_behind() == []


def test_stopping_takes_no_longer_than_it_may_whatever_clients_do() -> None:
    device = FakeDevice(before=lambda: time.sleep(1.0))
    with serving(device, stop_seconds=1.0) as agent:
        idle, waiting = Client(agent.address, alpn=b"h2"), Client(agent.address)
        with idle, waiting:
            waiting.tls.sendall(b"\x00\x00\x00\x22\x0a\x20" + bytes(32))
            eventually(lambda: len(device.asked) == 1)
            started = time.monotonic()
            agent.stop()
            assert time.monotonic() - started < 3
    assert device.closed.wait(5)


def test_a_driver_that_does_not_return_delays_the_end_no_longer_than_a_client_may() -> None:
    go_on = threading.Event()

    def wait() -> None:
        go_on.wait(30)

    device = FakeDevice(before=wait)
    with serving(device, stop_seconds=1.0) as agent, pinned(agent) as channel:
        pending = unary(channel, "/cvmproof.v1.Attestation/GetEvidence").future(b"\x0a\x20" + bytes(32), timeout=9)
        eventually(lambda: len(device.asked) == 1)
        started = time.monotonic()
        agent.stop()
        assert time.monotonic() - started < 4
        assert pending.code() is not None
        assert not device.closed.is_set()
        go_on.set()
    assert device.closed.wait(5)


def test_a_call_under_way_is_finished_before_the_end() -> None:
    entered = threading.Event()

    def work() -> None:
        entered.set()
        time.sleep(0.3)

    with serving(FakeDevice(before=work)) as agent, pinned(agent) as channel:
        pending = unary(channel, "/cvmproof.v1.Attestation/GetEvidence").future(b"\x0a\x20" + bytes(32), timeout=5)
        assert entered.wait(5)
        agent.stop()
        assert len(pending.result()) > 1184


def test_stopping_twice_is_no_mistake() -> None:
    with serving() as agent:
        agent.stop()
        agent.stop()
        assert not agent.responds(0.1)


def test_an_agent_that_serves_responds() -> None:
    with serving() as agent:
        assert agent.responds(5)


def test_ac_118_memory_stays_flat_over_many_channels() -> None:
    # In a process of its own: what other tests leave behind is not the agent's.
    script = Path(__file__).with_name("channels.py")
    done = subprocess.run(
        [sys.executable, str(script), "100", "500"], check=False, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    first, last = map(int, done.stdout.split())
    assert last - first < 4 * 1024 * 1024, "bytes of resident memory"


def test_a_bridge_over_a_stopped_agent_ends() -> None:
    with serving() as agent, Client(agent.address) as client:
        client.ask()
        with bridged(client) as channel:
            unary(channel, "/grpc.health.v1.Health/Check")(b"", timeout=5)
            agent.stop()
        client.end()  # with a GOAWAY, or whatever was on its way
