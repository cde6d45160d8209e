"""The panel Messages."""
