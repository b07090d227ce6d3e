"""Asks a running agent, at its user socket, for evidence about this user and what it has to say."""

import socket
from pathlib import Path
from typing import Final

from cvmproof_formats.binding import USER_DATA_LIMIT, BindingKind, Tee
from cvmproof_formats.errors import Category, DeviceError, Malformed, Misuse
from cvmproof_formats.evidence_fields import Evidence
from cvmproof_formats.frames import ANSWER_LIMIT, USER_REQUEST_LIMIT, read_frame, write_frame

SECONDS: Final = 60.0  # the agent gives up before that


def ask(path: Path, user_data: bytes) -> Evidence:
    """Get evidence over our uid and at most 4096 bytes of user data.

    Raises Misuse for more, DeviceError where no agent answers or it has none to give.
    """
    if len(user_data) > USER_DATA_LIMIT:
        raise Misuse(f"user data: expected at most {USER_DATA_LIMIT} bytes, got {len(user_data)}")
    from cvmproof_protos.v1.attestation_pb2 import AttestedAnswer, UserRequest  # noqa: PLC0415 -- slow to load

    request = write_frame(UserRequest(user_data=user_data).SerializeToString(), limit=USER_REQUEST_LIMIT)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as agent:
            agent.settimeout(SECONDS)
            agent.connect(str(path))
            agent.sendall(request)
            answer = AttestedAnswer.FromString(read_frame(agent.recv, limit=ANSWER_LIMIT))
    except (OSError, Malformed) as error:
        raise DeviceError(f"no agent answered at {path}: {error}") from error
    if not answer.HasField("evidence"):
        known = {category.value: category for category in Category}
        category = known.get(answer.refusal.category, Category.UNAVAILABLE)
        raise DeviceError(f"the agent at {path} refused: {answer.refusal.message}", category=category)
    found = answer.evidence
    return Evidence(
        tee=Tee(found.tee),
        report=found.report,
        certificates=tuple(found.certificates),
        binding=BindingKind(found.binding),
        uid=found.uid,
        user_data=found.user_data,
    )
