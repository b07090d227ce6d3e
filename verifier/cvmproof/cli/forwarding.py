"""What --forward does: listen on a local address, and give each connection an attested one of its own."""

import signal
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

from cvmproof.cli.output import say

if TYPE_CHECKING:
    from cvmproof.channel.connect import Accepted
    from cvmproof.channel.forward import LocalAddress


def forward_until_stopped(where: "LocalAddress", open_: "Callable[[], Accepted]") -> None:
    """Forward until SIGTERM or SIGINT; raises Misuse where nothing can listen there."""
    from cvmproof.channel.forward import Forwarder

    forwarder = Forwarder(where, open_, report=say)

    def stop(_: int, __: FrameType | None) -> None:
        forwarder.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    say(f"forwarding {forwarder.address}; each connection is appraised for itself, Ctrl-C ends it")
    forwarder.serve()
