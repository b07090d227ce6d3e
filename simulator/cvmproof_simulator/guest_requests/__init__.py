"""What the kernel of a virtual machine asks a SIMULATED secure processor outside of it, and the answers.

The keys stay on the host, as those of a real processor stay in it: the kernel module of `make boot-test` has none.
"""
