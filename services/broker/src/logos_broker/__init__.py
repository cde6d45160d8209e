"""The runtime broker: the only program of a testnet that sees the container engine.

Rules: docs/protocol/kernel.md, KER-24 and KER-25.
"""
