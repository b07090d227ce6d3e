"""Telling a quote from an SNP report by a few bytes, so that who reads reports loads nothing of quotes.

Follows Intel's DCAP quote format, "Quote Header" (the ECDSA quote library reference, appendix A.3 and A.4).
"""

ECDSA_P256 = 2  # attestation key type: ECDSA-256-with-P-256
ECDSA_P384 = 3
INTEL_QE_VENDOR_ID = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")


def resembles_quote(data: bytes) -> bool:
    """Tell a quote, of whatever version, from an SNP report: of a report these bytes are zero."""
    # Bytes 2 and 3 are the kind of attestation key here and the high half of VERSION there; bytes 12 to 15 are reserved
    # bits of GUEST_POLICY there.
    key_type = int.from_bytes(data[2:4], "little")
    return key_type in {ECDSA_P256, ECDSA_P384} or data[12:28] == INTEL_QE_VENDOR_ID
