"""Relaying: which messages of other nodes are passed on."""
