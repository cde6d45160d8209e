"""`python -m logos_broker`: the broker of one testnet."""

import sys

from logos_broker.node import run

if __name__ == "__main__":
    sys.exit(run())
