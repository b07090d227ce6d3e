"""The command line `cvmproof`: the rim, where files, clock, network and terminal come in."""
