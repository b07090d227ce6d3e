"""The gRPC contract, package cvmproof.v1, and its generated stubs."""
