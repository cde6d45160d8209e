"""Runs the effects of the cores against the libp2p host."""
