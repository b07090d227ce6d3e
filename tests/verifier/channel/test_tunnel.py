from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from tests.verifier.channel.fake_agent import PROMPT

from cvmproof.channel.door import Target
from cvmproof.channel.tunnel import Options, options_for


class _TellsAuthority(grpc.GenericRpcHandler):
    """Answers every call with the authority that it was called by."""

    def service(self, _: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        def tell(_: bytes, context: grpc.ServicerContext) -> bytes:
            # grpcio shows it to a service nowhere else.
            host: bytes = vars(context)["_rpc_event"].call_details.host
            return host

        return grpc.unary_unary_rpc_method_handler(tell)


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    server = grpc.server(ThreadPoolExecutor(1), handlers=[_TellsAuthority()])
    target = Target(f"unix:{tmp_path / 'told'}")
    server.add_insecure_port(target)
    server.start()
    yield target
    server.stop(None).wait()


@pytest.mark.parametrize(
    ("options", "told"),
    [((), b"localhost"), ((("grpc.default_authority", "agent.example"),), b"agent.example")],
)
def test_the_service_is_not_told_the_name_of_the_socket(target: Target, options: Options, told: bytes) -> None:
    with grpc.insecure_channel(target, options=options_for(target, options)) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/any/thing")
        assert call(b"", timeout=PROMPT) == told


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_http_proxy", 0),
        ("grpc.client_idle_timeout_ms", 2**31 - 1),
    ],
)
def test_a_caller_can_not_undo_what_a_channel_of_one_connection_needs(name: str, value: int) -> None:
    options = options_for(Target("unix:any"), ((name, 7),))
    effective = dict(reversed(options))  # gRPC goes by the first, as the test above shows
    assert effective[name] == value
