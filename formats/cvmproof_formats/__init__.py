"""Every byte structure that crosses a boundary, declared once and read and written from the same tables."""
