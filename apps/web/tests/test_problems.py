"""Every reason of the contracts has a sentence, and no sentence a forbidden word."""

import re
from pathlib import Path

import grpc
import pytest
from google.rpc import code_pb2

from logos_app.shown.problems import SENTENCES, problem_of

ROOT = Path(__file__).parents[3]
APP = ROOT / "apps/web/src/logos_app"
TOKEN = re.compile(r"\b[A-Z]{2,}(?:_[A-Z0-9]+)+\b")
OPTIONS = {"NO_SIDE_EFFECTS", "CHANNEL_INSCRIBE", "LEADER_CLAIM", "TOO_LATE"}
"""What comments name beside reasons: an option, operations, why a slot has no block."""
FORBIDDEN = re.compile(
    r"\b(oops|please|successfully|invalid|unexpected|something went wrong)\b", re.IGNORECASE
)


def reasons() -> set[str]:
    """What comments in `proto/` name, less what is an option, a status or a value of an enum."""
    named: set[str] = set()
    values: set[str] = set(OPTIONS)
    for path in (ROOT / "proto").rglob("*.proto"):
        for line in path.read_text(encoding="utf-8").splitlines():
            code, _, comment = line.partition("//")
            named |= set(TOKEN.findall(comment))
            values |= set(TOKEN.findall(code))
    return named - values - set(code_pb2.Code.keys())


@pytest.mark.parametrize("reason", sorted(reasons()))
def test_a_reason_has_a_sentence(reason: str) -> None:
    assert reason in SENTENCES


@pytest.mark.parametrize("reason", SENTENCES)
def test_a_sentence_is_whole_and_plain(reason: str) -> None:
    sentence = SENTENCES[reason].format(at="node1", detail="why")

    assert sentence.endswith(".")
    assert sentence[0].isupper() or sentence.startswith("node1")
    assert not FORBIDDEN.search(sentence)


def texts() -> list[Path]:
    """What pages say: templates, and the code that makes sentences."""
    return [*APP.rglob("*.html"), *APP.rglob("*.py"), *APP.glob("**/static/*.js")]


@pytest.mark.parametrize("path", texts(), ids=lambda path: path.name)
def test_no_page_says_a_forbidden_word(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    said = re.sub(r"aria-invalid|:invalid|setCustomValidity", "", text)

    assert not FORBIDDEN.search(said)


def failed(code: grpc.StatusCode, details: str = "") -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (grpc.StatusCode.UNAVAILABLE, "KERNEL_UNREACHABLE"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"),
        (grpc.StatusCode.INTERNAL, "INTERNAL"),
    ],
)
def test_a_failure_without_a_reason_has_a_sentence_too(code: grpc.StatusCode, reason: str) -> None:
    found = problem_of(failed(code, "it broke"), "node2")

    assert found.reason == reason
    assert found.sentence.startswith("node2 ")
    assert found.sentence.endswith(".")
