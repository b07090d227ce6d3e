"""Intel TDX structures: what a TD, its quoting enclave and Intel's provisioning service hand out."""
