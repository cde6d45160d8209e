"""Testnets on one machine: topologies, runtimes and scenarios."""
