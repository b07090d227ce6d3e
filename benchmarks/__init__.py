"""What the verifier costs over the cryptography it can't do without, and the agent over the libraries it is made of.

Run all of it with `make bench`. Every figure is a ratio measured within one run: a contestant between two measurements
of its floor, CPU time unless its name says otherwise, the median over the rounds. Absolute times on a shared machine
mean nothing tomorrow; the ratios do. See docs/performance.md.
"""
