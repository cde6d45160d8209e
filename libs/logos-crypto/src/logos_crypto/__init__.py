"""Cryptography of a node: encodings of ids, hashes and trees, proofs and their queue.

The encodings and the queue are pure Python; the rest wraps the native core.
"""
