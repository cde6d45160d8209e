"""Content-addressed storage: the module `storage` of a node."""
