"""Sending: what becomes of a message from its acceptance to its last event."""
