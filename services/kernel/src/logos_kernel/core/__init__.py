"""Supervision and registration as pure state machines."""
