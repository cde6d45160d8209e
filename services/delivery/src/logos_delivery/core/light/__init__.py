"""What a node does for light clients, and what a light client does: filter, light push, peers."""
