"""Commands that are printed for users to type: each must work as printed."""

import os

from logos_cli.target import state_root
from logos_testnet.choosing import known_testnets


def command(words: str, testnet: str, rest: str = "") -> str:
    """Returns a `./logos` command, with --testnet if the command is ambiguous without.

    Args:
        words: The command, e.g. `up`.
        testnet: The testnet.
        rest: Further arguments.
    """
    selected = os.environ.get("LOGOS_TESTNET")
    known = known_testnets(state_root(make=True))
    is_plain = set(known) <= {testnet} and selected in {None, "", testnet}
    option = "" if is_plain else f"--testnet {testnet}"
    return " ".join(word for word in ("./logos", words, option, rest) if word)
