"""What outlives the process: peers, bans, advertisements, the identity key."""
