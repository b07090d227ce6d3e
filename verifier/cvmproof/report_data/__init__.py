"""REPORT_DATA: whether evidence, of whichever technology, was made for this verifier, now, and on this connection."""
