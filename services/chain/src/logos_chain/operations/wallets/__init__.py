"""The wallets of a node: they follow its chain, have proofs made, and submit transactions.

Spec: docs/protocol/chain-wallet.md, WAL-22 to WAL-30.
"""
