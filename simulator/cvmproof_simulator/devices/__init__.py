"""SIMULATED kernel devices at the real paths, served from the simulator, so that unmodified programs run against them.

`harness` is what tests use, `launcher` and `server` are the two processes behind it. Linux only; nothing beyond the
standard library.
"""
