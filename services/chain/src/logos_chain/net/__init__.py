"""The network, through the network module of this node."""
