"""What the mixnets of a testnet have in common: the fork server imports this (docs/adr/0016).

The keys of the circuits take 25 MiB and the better part of a second: read once, all share them.
"""

from logos_crypto import rln

rln.load_keys()
