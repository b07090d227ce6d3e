"""The Prism CVMs API: who is there, at which address, and which policy the control plane hands out.

All of it is the control plane's word, none of it evidence: an `agent_url` is trusted only after its machine's evidence
was accepted. The core builds requests and reads answers without I/O; a blocking and an asyncio client share it.
Nothing is imported here.
"""
