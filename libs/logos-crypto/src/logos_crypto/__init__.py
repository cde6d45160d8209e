"""Hashes, Merkle trees and key types."""
