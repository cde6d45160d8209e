"""Use cases of the storage module, a file each."""
