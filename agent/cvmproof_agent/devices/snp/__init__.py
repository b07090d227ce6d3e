"""SEV-SNP: the driver sev-guest, its structures and its error words."""
