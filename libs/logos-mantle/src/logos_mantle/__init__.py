"""The canonical encodings of the chain: operations, transactions, blocks, their ids and fees.

Everything here is a function of its arguments. What needs the chain's state (whether a note is
unspent, who may write to a channel, whether a proof holds) is the ledger's.

Spec: docs/protocol/mantle.md.
"""
