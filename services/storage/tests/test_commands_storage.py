"""Arguments of `logosctl storage` that no contract can hold are wrong input."""

import pytest
from typer.testing import CliRunner

from logos_cli.main import app

NOT_UTF8 = b"caf\xe9".decode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("put", "-", "--filename", NOT_UTF8), "not UTF-8"),
        (("put", "-", "--mimetype", NOT_UTF8), "not UTF-8"),
        (("put", "-", "--block-size", str(2**32)), "--block-size"),
        (("get", NOT_UTF8), "not UTF-8"),
        (("get", "zX", "--offset", str(2**64)), "--offset"),
        (("get", "zX", "--length", str(2**64)), "--length"),
        (("stat", NOT_UTF8), "not UTF-8"),
        (("exists", NOT_UTF8), "not UTF-8"),
        (("delete", NOT_UTF8), "not UTF-8"),
        (("fetch", NOT_UTF8), "not UTF-8"),
        (("fetch", "zX", "--patience", "0"), "--patience"),
        (("fetch", "zX", "--patience", "604801"), "--patience"),
        (("cancel", NOT_UTF8), "not UTF-8"),
    ],
    ids=lambda value: " ".join(value[::2]) if isinstance(value, tuple) else "",
)
def test_arguments_that_no_contract_can_hold_are_refused(words: tuple[str, ...], said: str) -> None:
    ended = CliRunner().invoke(app, ["--address", "127.0.0.1:1", "storage", *words])

    assert ended.exit_code == 2
    assert said in ended.stderr
