"""Drives the core over the node's network: streams, searches and timers."""
