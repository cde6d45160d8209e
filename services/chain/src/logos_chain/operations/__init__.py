"""Use cases of the chain module, a file each."""
