"""Versions of delivery's database, one script each."""
