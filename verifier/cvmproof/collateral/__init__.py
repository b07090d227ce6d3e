"""Collateral: certificates and revocation lists, from a store, a bundle or AMD's service, given to the appraisal.

Nothing is imported here: the appraisal needs the value (`collateral.collateral`) without the store and the network.
"""
