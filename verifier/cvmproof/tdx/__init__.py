"""TDX: what is asked of a quote, and how it is answered."""
