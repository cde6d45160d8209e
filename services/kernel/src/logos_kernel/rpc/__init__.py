"""Servicers of `logos.kernel.v1`, and what they convert."""
