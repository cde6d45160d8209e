"""KER-15, KER-17: operators of an authority, and the tokens that it issues."""

import dataclasses

import pytest
from gates import BEARER, NOW_S, Clock, gate_of

from logos_base.capabilities import KERNEL, ModuleSubject, OperatorSubject, Role
from logos_kernel.core.access import (
    MAX_TOKEN_TTL_S,
    TOKEN_TTL_S,
    Access,
    Operator,
    Served,
    digest_of,
)
from logos_kernel.core.errors import (
    OperatorTokenExpiredError,
    OperatorTokenInvalidError,
    PolicyDeniedError,
)
from logos_kernel.core.policy import Grant
from logos_kernel.operations.gate import Gate

CALLS = {"chat": ["test.storage.Echo/*"], "storage": [], "mail": ["test.storage.Echo/Put"]}
CHAT = ModuleSubject("chat", b"i" * 16, 3)
SERVED = Served(("test.storage.Echo",), {"/test.storage.Echo/Put": 1, "/test.storage.Echo/Get": 1})
REFUSED = Grant("chat", "storage", ("test.storage.Echo/Put",), is_refusal=True, by="ada")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gate(clock: Clock) -> Gate:
    return gate_of(CALLS, clock=clock)


def test_a_token_names_its_holder_and_what_it_is_for(gate: Gate) -> None:
    key = gate.public_key("chat")

    claims = gate.authority.issue(CHAT, key, "storage", SERVED).claims

    assert (claims.subject, claims.audience, claims.proof_key) == (CHAT, "storage", key)
    assert claims.methods == ("test.storage.Echo/*",)
    assert (claims.issued_at_s, claims.expires_at_s) == (NOW_S, NOW_S + TOKEN_TTL_S)


def test_the_token_after_a_withdrawal_is_newer_than_it_at_any_time(
    gate: Gate, clock: Clock
) -> None:
    for back_s in (0, 0, -86_400):
        clock.now_s += back_s
        gate.take(gate.access.granting(REFUSED, clock.now_s))

        issued = gate.authority.issue(CHAT, b"k" * 32, "storage", SERVED).claims

        (revocation,) = gate.authority.revocations("storage").values() or [None]
        assert revocation is None or not revocation.covers(issued)
        assert issued.methods == ("test.storage.Echo/Get",)
        gate.authority.note_start("chat", 3)


def test_each_change_withdraws_the_tokens_since_the_last_also_within_a_second(gate: Gate) -> None:
    gate.authority.note_start("chat", 3)
    gate.take(gate.access.granting(dataclasses.replace(REFUSED, methods=("a.B/C",)), NOW_S))
    between = gate.authority.issue(CHAT, b"k" * 32, "storage", SERVED).claims
    assert "test.storage.Echo/*" in between.methods

    gate.take(gate.access.granting(REFUSED, NOW_S))

    assert gate.authority.revocations("storage")["chat"].covers(between)


def test_callees_hear_of_those_who_may_call_them(gate: Gate) -> None:
    for name in CALLS:
        gate.authority.note_start(name, 2)
    gate.authority.note_start("chat", 1)

    found = gate.authority.revocations("storage")

    assert {name: one.before_epoch for name, one in found.items()} == {"chat": 2, "mail": 2}
    assert gate.authority.revocations(KERNEL).keys() == CALLS.keys()


def test_withdrawals_are_forgotten_once_all_tokens_of_theirs_have_expired() -> None:
    access = Access()
    for number in range(50):
        grant = dataclasses.replace(REFUSED, caller=f"m{number}")
        access = access.granting(grant, NOW_S + number * MAX_TOKEN_TTL_S // 5)

    assert len(access.withdrawals) == 5


def test_who_bears_a_token_is_known_until_it_expires(gate: Gate, clock: Clock) -> None:
    viewer = Operator("bob", Role.VIEWER, digest_of("logos_bob"), NOW_S, NOW_S + 10)
    gate.take(gate.access.issuing(viewer))

    assert gate.authority.operator_of(BEARER) == OperatorSubject("local", Role.ADMIN)
    assert gate.authority.operator_of("logos_bob") == OperatorSubject("bob", Role.VIEWER)
    clock.now_s += 10
    with pytest.raises(OperatorTokenExpiredError):
        gate.authority.operator_of("logos_bob")
    gate.take(gate.access.revoking("bob"))
    with pytest.raises(OperatorTokenInvalidError):
        gate.authority.operator_of("logos_bob")
    assert gate.authority.operator_of(BEARER), "its file decides on that"


def test_a_change_and_a_start_are_told_and_nothing_else(gate: Gate) -> None:
    told: list[int] = []
    end = gate.authority.listen(lambda: told.append(1))

    gate.authority.note_start("chat", 1)
    gate.authority.note_start("chat", 1)
    gate.take(gate.access.rotating())
    end()
    gate.authority.note_start("chat", 2)

    assert len(told) == 2


def test_more_methods_than_a_token_holds_are_refused_with_a_way_out() -> None:
    many = tuple(f"test.storage.Echo/Method{number:030}" for number in range(16))
    gate = gate_of({"chat": many, "storage": []})

    with pytest.raises(PolicyDeniedError, match="whole services"):
        gate.authority.issue(CHAT, b"k" * 32, "storage", SERVED)


def test_only_what_may_allow_less_withdraws_tokens() -> None:
    granted = Grant("chat", "storage", ("*",), by="ada")
    changes = {
        "granted": Access().granting(granted, NOW_S),
        "granted otherwise": Access((granted,)).granting(granted, NOW_S),
        "taken back": Access((granted,)).ungranting("chat", "storage", NOW_S, is_refusal=False),
        "refused": Access().granting(REFUSED, NOW_S),
        "allowed again": Access((REFUSED,)).ungranting("chat", "storage", NOW_S, is_refusal=True),
    }

    withdrawing = {name for name, access in changes.items() if access.withdrawals}

    assert withdrawing == {"granted otherwise", "taken back", "refused"}
    assert all(access.of_caller("chat") for name, access in changes.items() if access.grants)
