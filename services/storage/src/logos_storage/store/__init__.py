"""Data files, tree files and the catalogue of one node."""
