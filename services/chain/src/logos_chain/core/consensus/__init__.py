"""Cryptarchia: slots, epochs, lottery, fork choice, header rules, synchronisation.

Spec: docs/protocol/chain-consensus.md.
"""
