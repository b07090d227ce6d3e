"""SIMULATED hardware: software in place of AMD's secure processor, trusted by no production trust set."""
