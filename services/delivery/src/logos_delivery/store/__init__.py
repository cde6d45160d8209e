"""The archive and what else of delivery outlives its process."""
