"""How a module reaches other nodes: through the network module of its own."""
