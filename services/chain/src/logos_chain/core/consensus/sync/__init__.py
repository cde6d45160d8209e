"""Blocks from and for other nodes (CON-40 to CON-48)."""
