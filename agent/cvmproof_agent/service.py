"""The gRPC side: which calls there are on which connection, and how each is answered.

Two servers on two private sockets, one per ALPN name, so that a call's path is never in question. What a path doesn't
offer is UNIMPLEMENTED there: on h2 there is evidence bound to the TLS key, and health; the rest only where the client
has appraised this very connection. grpcio's synchronous server, whose calls wait for the device in a thread each: as
many as may wait, and some for health.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Final, NoReturn, TypeVar

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from cvmproof_agent.binder import Binder
from cvmproof_agent.evidence_message import evidence_message
from cvmproof_agent.limits import CHUNK_SIZE, MESSAGE_LIMIT, METADATA_LIMIT, STREAMS, Limits
from cvmproof_agent.metrics import Metrics
from cvmproof_agent.peers import Peers
from cvmproof_agent.private_socket import PrivateSocket
from cvmproof_formats.binding import NONCE_SIZE
from cvmproof_formats.errors import Category, CvmproofError, DeviceError, Malformed
from cvmproof_formats.tls import ALPN_ATTESTED, ALPN_H2
from cvmproof_protos.v1 import attestation_pb2, evidence_pb2

_log = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")

SERVICE: Final = attestation_pb2.DESCRIPTOR.services_by_name["Attestation"].full_name
# Every method of the contract stands here, or none of it is served: security.md AC-125.
OFFERED: Final[Mapping[bytes, frozenset[str]]] = {
    ALPN_H2: frozenset({"GetEvidence"}),
    ALPN_ATTESTED: frozenset({"GetInfo", "GetEventLog"}),
}
WORKERS: Final = "grpc-call"  # what the threads of calls are named
_SPARE_THREADS: Final = 8
_CODES: Final = {
    Category.MALFORMED: grpc.StatusCode.INVALID_ARGUMENT,
    Category.RATE_LIMIT: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Category.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
}


class Attestation:
    """The methods of the contract, for a server's handlers."""

    def __init__(
        self,
        binder: Binder,
        info: Callable[[], attestation_pb2.Info],
        *,
        limits: Limits,
        peers: Peers,
        metrics: Metrics,
    ) -> None:
        self._binder, self._info, self._limits, self._peers, self._metrics = binder, info, limits, peers, metrics

    def handler(self, offered: frozenset[str]) -> grpc.GenericRpcHandler:
        """Make a handler of some of the methods."""
        # Any: each handler has message types of its own.
        every: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "GetInfo": grpc.unary_unary_rpc_method_handler(
                self._get_info, attestation_pb2.InfoRequest.FromString, _serialize
            ),
            "GetEvidence": grpc.unary_unary_rpc_method_handler(
                self._get_evidence, attestation_pb2.EvidenceRequest.FromString, _serialize
            ),
            "GetEventLog": grpc.unary_stream_rpc_method_handler(
                self._get_event_log, attestation_pb2.EventLogRequest.FromString, _serialize
            ),
        }
        return grpc.method_handlers_generic_handler(SERVICE, {name: every[name] for name in offered})

    def _get_info(self, _: attestation_pb2.InfoRequest, __: grpc.ServicerContext) -> attestation_pb2.Info:
        return self._info()

    def _get_evidence(
        self, request: attestation_pb2.EvidenceRequest, context: grpc.ServicerContext
    ) -> evidence_pb2.Evidence:
        try:
            if len(request.nonce) != NONCE_SIZE:
                raise Malformed(f"nonce: expected exactly {NONCE_SIZE} bytes, got {len(request.nonce)}")
            call = _Call(context, self._peers, self._limits)
            evidence = call.wait(self._binder.key(nonce=request.nonce, network=call.network, seconds=call.seconds))
        except CvmproofError as error:
            self._metrics.count("cvmproof_agent_refusals_total", category=error.category)
            _abort(context, error)
        self._metrics.count("cvmproof_agent_evidence_total", binding="key")
        return evidence_message(evidence)

    def _get_event_log(
        self, _: attestation_pb2.EventLogRequest, context: grpc.ServicerContext
    ) -> Iterator[attestation_pb2.EventLogChunk]:
        try:
            call = _Call(context, self._peers, self._limits)
            log = call.wait(self._binder.event_log(network=call.network, seconds=call.seconds)) or b""
        except CvmproofError as error:
            _abort(context, error)
        for offset in range(0, len(log), CHUNK_SIZE):
            yield attestation_pb2.EventLogChunk(data=log[offset : offset + CHUNK_SIZE], size=len(log))


class _Call:
    """A call under way: the network it came from, how long it may take, and word that it is over."""

    def __init__(self, context: grpc.ServicerContext, peers: Peers, limits: Limits) -> None:
        remaining = context.time_remaining()
        self.seconds = limits.deadline_seconds if remaining is None else min(remaining, limits.deadline_seconds)
        self.network = peers.network(context.peer())
        self._context = context

    def wait(self, future: "Future[_Answer]") -> _Answer:
        """Wait for an answer, but no longer than the client does; raises what it raises."""
        if not future.done() and not self._answered(future):
            raise DeviceError(f"the device did not answer within {self.seconds:.3g} s")
        return future.result()

    def _answered(self, future: "Future[_Answer]") -> bool:
        # A device call can't be interrupted, so what is waited for is word that either end is done.
        done: SimpleQueue[object] = SimpleQueue()
        future.add_done_callback(done.put)
        if not self._context.add_callback(partial(done.put, None)):
            done.put(None)
        with suppress(Empty):
            done.get(timeout=self.seconds)
        return not future.cancel() and future.done()


class GrpcServer:
    """One gRPC server on a private socket; owns both."""

    def __init__(self, handler: grpc.GenericRpcHandler, status: health.HealthServicer, *, limits: Limits) -> None:
        """Bind; serves nothing before `start`."""
        workers = limits.queue + 1 + _SPARE_THREADS
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix=WORKERS)
        self._server = grpc.server(self._pool, options=_options(limits), maximum_concurrent_rpcs=2 * workers)
        self._server.add_generic_rpc_handlers((handler,))
        health_pb2_grpc.add_HealthServicer_to_server(status, self._server)
        self.socket = PrivateSocket.bind(lambda path: self._server.add_insecure_port(f"unix:{path}"))

    def start(self) -> None:
        """Begin to serve."""
        self._server.start()

    def stop(self, seconds: float) -> Callable[[], object]:
        """Take no more calls and give those under way that long; gives what waits for the end."""
        return self._server.stop(seconds).wait

    def close(self) -> None:
        """Let go of threads and socket; only once it has stopped."""
        self._pool.shutdown(wait=False)  # a thread that a driver keeps ends when the driver lets it
        self.socket.close()


def set_status(status: health.HealthServicer, *, serving: bool) -> None:
    """Say on both paths how we are."""
    found = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
    for name in ("", SERVICE):
        status.set(name, found)


def _options(limits: Limits) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", MESSAGE_LIMIT),
        ("grpc.max_send_message_length", 1024 * 1024),
        ("grpc.max_concurrent_streams", STREAMS),
        ("grpc.max_metadata_size", METADATA_LIMIT),
        ("grpc.absolute_max_metadata_size", METADATA_LIMIT),
        ("grpc.compression_enabled_algorithms_bitset", 1),  # identity alone: nothing to inflate
        ("grpc.server_handshake_timeout_ms", int(1000 * limits.handshake_seconds)),
        ("grpc.max_connection_idle_ms", int(1000 * limits.idle_seconds)),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.http2.max_ping_strikes", 2),
        ("grpc.so_reuseport", 0),
        ("grpc.enable_channelz", 0),
    ]


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()


def _abort(context: grpc.ServicerContext, error: CvmproofError) -> NoReturn:
    context.abort(_CODES.get(error.category, grpc.StatusCode.INTERNAL), f"{error.category}: {error}")
    raise error  # abort never returns; its type doesn't say so everywhere
