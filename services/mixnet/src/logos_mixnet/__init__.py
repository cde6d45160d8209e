"""The only module that talks to other nodes: peering, gossip, streams, discovery."""
