"""Verify that a confidential VM is genuine and runs what you expect."""
