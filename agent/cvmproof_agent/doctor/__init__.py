"""Looks at the guest: what this machine offers, whether it works, and whether anybody else in the guest can use it.

Whoever can have 64 bytes of its own choosing reported can make evidence that says anything, this agent's bindings
included. So besides the device itself, what is looked for is every other way to it. design section 4
"""
