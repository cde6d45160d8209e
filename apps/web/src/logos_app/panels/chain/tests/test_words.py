"""How amounts, stages and reasons are said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos.chain.v1 import transaction_pb2 as pb
from logos_app.panels.chain import words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (99_999, "99,999"),
        (100_000, "100 k"),
        (1_250_000, "1.2 M"),
        (999_999_999, "999.9 M"),
        (2**64 - 1, "18.4 E"),
    ],
)
def test_an_amount_where_there_is_little_room(value: int, text: str) -> None:
    assert words.tokens_shortly(value) == text


_POWERS = {"k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


@given(st.integers(100_000, 2**64 - 1))
def test_a_short_amount_is_never_more_than_there_is(value: int) -> None:
    figure, prefix = words.tokens_shortly(value).split(" ")
    whole, _, tenth = figure.partition(".")
    tenths = int(whole) * 10 + int(tenth or 0)

    said = tenths * 10 ** (_POWERS[prefix] - 1)
    assert said <= value < said + 10 ** (_POWERS[prefix] - 1)
    assert len(figure) <= 5


def test_a_change_has_its_sign() -> None:
    assert words.change(7, 2) == "+5"
    assert words.change(2, 2**64 - 1) == "−18,446,744,073,709,551,613"  # noqa: RUF001
    assert words.change(2, 2) == "0"


STAGES = [
    (None, "is not known here"),
    (pb.TransactionStatus(), "is not known here"),
    (pb.TransactionStatus(stage=pb.TRANSACTION_STAGE_PENDING), "waits for a block"),
    (
        pb.TransactionStatus(stage=pb.TRANSACTION_STAGE_INCLUDED, height=1204, confirmations=1),
        "is in block 1,204, with one confirmation",
    ),
    (
        pb.TransactionStatus(
            stage=pb.TRANSACTION_STAGE_SAFE, height=12, confirmations=8, final_in_ms=125_000
        ),
        "is safe in block 12, with eight confirmations, and final in about 2 min",
    ),
    (
        pb.TransactionStatus(stage=pb.TRANSACTION_STAGE_FINAL, height=12),
        "is final, in block 12",
    ),
    (
        pb.TransactionStatus(stage=pb.TRANSACTION_STAGE_DROPPED, reason="EXPIRED"),
        "was dropped: no block took it for three hours",
    ),
    (
        pb.TransactionStatus(stage=pb.TRANSACTION_STAGE_DROPPED, reason="<b>"),
        "was dropped: it breaks a rule of the ledger",
    ),
]


@pytest.mark.parametrize(("status", "said"), STAGES)
def test_how_far_a_transaction_has_come(status: pb.TransactionStatus | None, said: str) -> None:
    assert words.status_said(status) == said


def test_every_stage_has_a_word() -> None:
    named = {words.stage_word(stage) for stage in pb.TransactionStage.values()}

    assert len(named) == len(pb.TransactionStage.values())
    assert words.stage_word(99) == "not known yet"


def test_bytes_for_people() -> None:
    assert words.text_of(b"hello") == "hello"
    assert words.text_of(b"\xff") == "1 B that are not text"
    assert "\u202e" not in words.text_of("\u202e<".encode())
    long = words.text_of(b"x" * 10_000)
    assert long == "x" * 400 + "…"
