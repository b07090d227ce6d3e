"""Version 1 of the contract: fields are added, never renumbered or removed."""
