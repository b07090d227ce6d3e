"""SEV-SNP structures, as AMD 56860 and 57230 lay them out."""
