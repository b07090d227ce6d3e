"""A CVM that an API lists: what its record, its policy and its evidence come to, and on whose word."""
