"""The private blockchain of a node."""
