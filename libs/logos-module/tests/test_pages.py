"""Pages: sizes with a limit, and tokens that only their server understands."""

import pytest

from logos_base.errors import LogosError
from logos_module.pages import (
    InvalidPageError,
    number_to_token,
    page_size,
    page_start,
    token_to_number,
)


def test_a_page_has_100_entries_or_at_most_1000() -> None:
    assert [page_size(asked) for asked in (0, 1, 1000, 1001, 2**31 - 1)] == [100, 1, *[1000] * 3]

    with pytest.raises(InvalidPageError) as caught:
        page_size(-1)

    assert (caught.value.reason, caught.value.field) == ("INVALID_PAGE", "page_size")


@pytest.mark.parametrize(
    ("number", "token"),
    [(0, "0000000000000000"), (258, "0000000000000102"), (2**63 - 1, "7fffffffffffffff")],
)
def test_numbers_have_tokens_of_16_digits(number: int, token: str) -> None:
    assert number_to_token(number) == token
    assert page_start(token, token_to_number) == number


def test_without_a_token_it_is_the_first_page() -> None:
    assert page_start("", token_to_number) is None


def refuse(token: str) -> str:
    raise LogosError(f"{token} is no name")


@pytest.mark.parametrize("token", ["x", "00", "ff" * 8, "00" * 9, "\ud800"])
def test_an_invalid_token_names_its_field(token: str) -> None:
    for parse in (token_to_number, refuse):
        with pytest.raises(InvalidPageError) as caught:
            page_start(token, parse)

        assert (caught.value.reason, caught.value.field) == ("INVALID_PAGE", "page_token")
