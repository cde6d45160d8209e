"""The ports of the chain's operations to the network module of its node."""
