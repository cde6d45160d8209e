"""Rate-limiting nullifiers at every hop: message ids, received proofs, members.

Pure. Rules: docs/protocol/rln.md, RLN-11 and RLN-17 to RLN-23. Proofs themselves are
`logos_crypto.rln`'s.
"""
