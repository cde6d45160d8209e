"""Refusals that are repeated, or many, do not fill the audit log."""

from logos_base.audit import AuditRecord
from logos_kernel.core.audit import Repeats


def refusal(actor: str, at_ms: int) -> AuditRecord:
    return AuditRecord(0, at_ms, actor, "call", "a.B/C", "ROLE_DENIED")


def test_who_repeats_a_refusal_is_noted_once_a_minute() -> None:
    repeats = Repeats()

    seen = [repeats.is_news(refusal("operator:bob", at_ms)) for at_ms in range(0, 180_000, 1000)]

    assert [at for at, is_news in enumerate(seen) if is_news] == [0, 60, 120]


def test_many_different_refusals_do_not_fill_the_log() -> None:
    repeats = Repeats()

    noted = sum(repeats.is_news(refusal(f"operator:{n}", n)) for n in range(10_000))

    assert noted == Repeats.MAX_KNOWN
    assert repeats.is_news(refusal("operator:later", 70_000))
