"""The attested channel: a connection to an attester that is handed out once its evidence was accepted.

The evidence came over that very connection and is bound to it. Nothing in here is imported by an appraisal of evidence
from a file; gRPC and OpenSSL are loaded where they are used.
"""
