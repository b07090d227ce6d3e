"""A SIMULATED TDX machine, Intel's SIMULATED authorities, and a fake Intel provisioning service."""
