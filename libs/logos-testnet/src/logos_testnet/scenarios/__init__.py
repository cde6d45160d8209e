"""Scenarios that every testnet must pass, written once for processes and containers.

A scenario gets a running testnet, does not depend on its runtime, and leaves it up, READY and
connected. It fails by `AssertionError`.
"""
