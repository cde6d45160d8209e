"""Versions of the mixnet's database, one script each."""
