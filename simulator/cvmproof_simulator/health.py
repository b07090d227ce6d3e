"""Asking a gRPC server whether it serves, as any program does that was given an address."""

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

_PATIENCE = 10.0  # seconds


def check_health(target: str) -> str:
    """Call Health.Check without TLS of our own, and give what it says: SERVING; raises grpc.RpcError."""
    with grpc.insecure_channel(target, options=(("grpc.enable_http_proxy", 0),)) as channel:
        check: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/grpc.health.v1.Health/Check")
        answer = HealthCheckResponse.FromString(check(HealthCheckRequest().SerializeToString(), timeout=_PATIENCE))
    return str(HealthCheckResponse.ServingStatus.Name(answer.status))
