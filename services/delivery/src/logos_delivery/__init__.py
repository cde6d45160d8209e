"""Messages between nodes: the module `delivery` of a node."""
