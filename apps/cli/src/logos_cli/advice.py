"""Commands that are printed for people to type: each must do what it says, as it is printed."""

import os

from logos_cli.target import state_root
from logos_testnet.choosing import known_testnets


def command(words: str, testnet: str, rest: str = "") -> str:
    """A `./logos` command about a testnet, which it names where plain words may mean another.

    Args:
        words: The command, e.g. `up`.
        testnet: The testnet that is meant.
        rest: What follows.
    """
    told = os.environ.get("LOGOS_TESTNET")
    known = known_testnets(state_root(make=True))
    is_plain = set(known) <= {testnet} and told in {None, "", testnet}
    option = "" if is_plain else f"--testnet {testnet}"
    return " ".join(word for word in ("./logos", words, option, rest) if word)
