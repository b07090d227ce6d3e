"""The agent: gets evidence from the hardware of a confidential VM and serves it, bound to the asker's session."""

from cvmproof_agent.collecting import collect
from cvmproof_agent.device import Device, open_device

__all__ = ["Device", "collect", "open_device"]
