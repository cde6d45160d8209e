"""The HTTP interface of Logos Delivery's nodes, as they publish it (DHT-1)."""
