"""Node records: what a node says about itself, signed (EIP-778, 31/WAKU2-ENR)."""
