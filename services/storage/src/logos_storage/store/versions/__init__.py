"""Versions of storage's catalogue, one script each."""
