"""The chain of one node on disk."""
