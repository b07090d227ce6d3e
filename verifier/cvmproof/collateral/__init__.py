"""Collateral: certificates and revocation lists from a store, a bundle or AMD's service, handed to the appraisal as a value.

Nothing is imported here, so that the appraisal needs the value (`collateral.collateral`) without the store and the network.
"""
