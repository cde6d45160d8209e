import pytest

from logos_module.marks import MARK, MAX_MARK, mark_in


@pytest.mark.parametrize(
    ("sent", "mark"),
    [("mine", "mine"), ("", ""), ("é", ""), ("a\nb", ""), ("x" * 100, "x" * MAX_MARK), (b"b", "")],
)
def test_marks_are_short_and_printable(sent: str | bytes, mark: str) -> None:
    assert mark_in([("other", "x"), (MARK, sent)]) == mark


def test_a_call_without_a_mark_has_none() -> None:
    assert mark_in(None) == mark_in([]) == mark_in([("other", "x")]) == ""
