"""Built-in and example appraisal policies, as TOML files beside this module."""
