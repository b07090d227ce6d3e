"""SIMULATED machines by description, such as "snp,product=Turin": a word for the technology, and options."""
