"""Transactions that wait for a block.

Pure: bytes, times and outcomes come in, effects come out. What a transaction does to the ledger is
the ledger's to say (`ledger`), and proofs are verified elsewhere.
"""
