"""The panel Mix: what the mix of a node hides, what it spends, and a request through its hops."""
