"""TDX: the driver tdx-guest, the quote generation service, and the interfaces that came before them."""
