"""The encodings that ids are written in, base58btc and varint, and rate-limiting nullifiers."""
