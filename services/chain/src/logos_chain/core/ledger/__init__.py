"""The ledger: what the operations of blocks do to notes, channels, services and rewards.

A pure core. It verifies no proofs: it hands out what is to be verified.

Spec: docs/protocol/chain-ledger.md.
"""
