"""SEV-SNP: AMD's chain, what is asked of a report, and the answers."""
