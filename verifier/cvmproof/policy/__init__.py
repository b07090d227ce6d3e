"""Appraisal policies: what a relying party demands, one model read from TOML or JSON, strictly."""
