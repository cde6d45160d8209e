"""Adapters to the network module of the node."""
