"""Values of options of `logosctl chain`, `wallet` and `channel` that are wrong input."""

import pytest
from typer.testing import CliRunner

from logos_cli.main import app

ID = "0b" * 32
NOT_UTF8 = b"caf\xe9".decode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("chain", "blocks", "--limit", "0"), "--limit"),
        (("chain", "blocks", "--limit", "10001"), "--limit"),
        (("chain", "mempool", "--limit", "all"), "--limit"),
        (("chain", "watch", "--count", "-1"), "--count"),
        (("chain", "watch", "--after", NOT_UTF8), "--after"),
        (("chain", "block", "-1"), "-1"),
        (("chain", "lead"), "--on"),
        (("wallet", "notes", "--limit", "100001"), "--limit"),
        (("wallet", "history", "--limit", "-1"), "--limit"),
        (("wallet", "claim", "--count", "17"), "--count"),
        (("wallet", "send", ID, "1", "--tip", "-1"), "--tip"),
        (("wallet", "send", ID, "1", "--tip", str(2**64)), "--tip"),
        (("wallet", "faucet", NOT_UTF8), "64 hexadecimal digits"),
        (("channel", "create", "--key", "K", "--timeframe", str(2**32)), "--timeframe"),
        (("channel", "create", "--key", "K", "--timeout", "-1"), "--timeout"),
        (("channel", "create", "--key", "K", "--id", NOT_UTF8), "not UTF-8"),
        (("channel", "create", "--key", "K", "--with", NOT_UTF8), "64 hexadecimal digits"),
        (("channel", "create", "hello", "--key", "K", "--timeout", "1"), "inscribe"),
        (("channel", "create", "hello"), "--key"),
        (("channel", "inscribe", ID, "hello"), "--key"),
        (("channel", "follow", ID, "--from", "here"), "a cursor that was printed"),
        (("channel", "follow", ID, "--from", ID), "a cursor that was printed"),
        (("channel", "follow", ID, "--count", "1000001"), "--count"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else "",
)
def test_a_wrong_value_is_refused(words: tuple[str, ...], said: str) -> None:
    ended = CliRunner().invoke(app, ["--address", "127.0.0.1:1", *words])

    assert (ended.exit_code, ended.stdout) == (2, "")
    assert said in " ".join(ended.stderr.replace("│", "").split())
