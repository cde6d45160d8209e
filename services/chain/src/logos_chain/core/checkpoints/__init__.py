"""Checkpoints: a chain at a final block as one file, from which another node can begin.

Spec: docs/protocol/chain-checkpoints.md.
"""
