"""Errors, manifests and the shape of machines, for every room. Standard library only."""
