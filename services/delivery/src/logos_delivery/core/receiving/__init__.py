"""Receiving: each message once, and what was missed while this node was offline."""
