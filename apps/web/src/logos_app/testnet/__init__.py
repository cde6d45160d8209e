"""The testnet's page: sentence, map, timeline, nodes and modules."""
