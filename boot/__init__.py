"""`make boot-test`: a virtual machine with a real kernel, our Debian package in it, and the simulator outside of it."""
