"""Versions of the kernel's database, one script each."""
