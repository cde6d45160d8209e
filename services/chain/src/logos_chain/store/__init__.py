"""What outlives the process: blocks, the ledger's state, what the genesis has given."""
