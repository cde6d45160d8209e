"""Versions of the chain's database, one script each."""
