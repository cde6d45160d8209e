"""The wallet: phrase and keys, and what notes and vouchers of the chain are theirs.

A pure core. Its secrets are in no representation and in no error.

Spec: docs/protocol/chain-wallet.md.
"""
