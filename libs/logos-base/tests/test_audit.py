"""No record of the audit log can be changed, moved or left out unseen."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_base.audit import AuditRecord, append, first_broken

DRAFTS = st.lists(
    st.builds(
        AuditRecord,
        st.just(0),
        st.integers(0, 2**53),
        *(st.text(max_size=8) for _ in range(5)),
    ),
    min_size=3,
    max_size=8,
)


def chain(drafts: list[AuditRecord]) -> list[AuditRecord]:
    records: list[AuditRecord] = []
    for draft in drafts:
        records.append(append(records[-1] if records else None, draft))
    return records


@given(DRAFTS)
def test_a_chain_holds_from_any_record_on(drafts: list[AuditRecord]) -> None:
    records = chain(drafts)

    assert [record.sequence for record in records] == list(range(1, len(records) + 1))
    assert first_broken(records) is None
    assert first_broken(records[2:], records[1]) is None


@given(
    DRAFTS,
    st.sampled_from(["at_ms", "actor", "action", "subject", "outcome", "detail", "hash"]),
    st.data(),
)
def test_a_changed_field_breaks_it_there(
    drafts: list[AuditRecord], name: str, data: st.DataObject
) -> None:
    records = chain(drafts)
    index = data.draw(st.integers(0, len(records) - 1))
    old = getattr(records[index], name)
    new = old + 1 if name == "at_ms" else bytes(32) if name == "hash" else old + "x"

    records[index] = replace(records[index], **{name: new})

    assert first_broken(records) == index + 1


@given(DRAFTS)
def test_a_record_that_is_left_out_or_moved_breaks_it(drafts: list[AuditRecord]) -> None:
    records = chain(drafts)

    assert first_broken(records[1:]) == 1
    assert first_broken([records[0], *records[2:]]) == 2
    assert first_broken([records[1], records[0], *records[2:]]) == 1


def test_text_that_moves_from_one_field_to_the_next_is_another_record() -> None:
    one = append(None, AuditRecord(0, 1, "ab", "c", "", ""))

    assert first_broken([replace(one, actor="a", action="bc")]) == 1


def test_the_hash_of_a_record() -> None:
    """Computed by hand, so that other programs can check a log."""
    record = append(None, AuditRecord(0, 1_790_000_000_000, "kernel", "token.issue", "ada", "OK"))

    assert record.hash.hex() == "c787363ba71bbb56851b0188d4764a97c3e80d44c67330f582c9ccfc9bb7c9f8"


@pytest.mark.parametrize("count", [0, 1])
def test_short_chains_hold(count: int) -> None:
    assert first_broken(chain([AuditRecord(0, 1, "a", "b", "c", "OK")] * count)) is None
