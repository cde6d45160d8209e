"""Who may call what: denied unless a rule allows."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logos_base.capabilities import KERNEL, ModuleSubject, OperatorSubject, Role, allows
from logos_kernel.core.policy import Grant, Policy

PUT, GET = "logos.storage.v1.Storage/Put", "logos.storage.v1.Storage/Get"
STORAGE = "logos.storage.v1.Storage/*"
CHAT = ModuleSubject("chat", b"i" * 16, 1)
DECLARED = {"chat": [GET]}
SERVES = {
    "storage": ["logos.storage.v1.Storage"],
    "mixnet": ["logos.network.v1.Gossip"],
    "chat": [],
}


@pytest.mark.parametrize(
    ("grants", "method", "is_allowed", "words"),
    [
        ([], GET, True, "declares"),
        ([], PUT, False, "no grant"),
        ([Grant("chat", "storage", (PUT,), by="ada")], PUT, True, "ada granted"),
        ([Grant("chat", "storage", (STORAGE,), by="ada")], PUT, True, "ada granted"),
        ([Grant("chat", "mixnet", ("*",))], PUT, False, "no grant"),
        ([Grant("mail", "storage", ("*",))], PUT, False, "no grant"),
        ([Grant("chat", "storage", (GET,), is_refusal=True, by="ada")], GET, False, "ada refused"),
        (
            [
                Grant("chat", "storage", ("*",)),
                Grant("chat", "storage", (GET,), is_refusal=True, by="ada"),
            ],
            GET,
            False,
            "ada refused",
        ),
    ],
)
def test_a_modules_calls(grants: list[Grant], method: str, words: str, *, is_allowed: bool) -> None:
    decision = Policy(DECLARED, SERVES, grants).decide(CHAT, "storage", method)

    assert decision.is_allowed is is_allowed
    assert words in decision.rule


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        ([GET], [GET]),
        ([PUT, GET], [GET]),
        ([STORAGE], []),
        (["*"], []),
    ],
)
def test_a_token_holds_no_more_than_is_allowed(asked: list[str], granted: list[str]) -> None:
    assert Policy(DECLARED, SERVES).patterns("chat", "storage", [], asked) == granted


def test_what_is_left_of_a_pattern_is_named_by_method() -> None:
    refused = Grant("chat", "storage", (PUT,), is_refusal=True)
    policy = Policy({"chat": [STORAGE]}, SERVES, [refused])

    assert policy.patterns("chat", "storage", [f"/{PUT}", f"/{GET}"]) == [GET]
    assert policy.patterns("chat", "storage", [], [STORAGE, GET, PUT, "*"]) == [GET]


def test_a_declaration_is_of_the_module_that_serves_it() -> None:
    policy = Policy(DECLARED, SERVES)

    assert policy.callers("storage") == {"chat"}
    assert policy.callers("mixnet") == frozenset()
    assert not policy.decide(CHAT, "mixnet", GET).is_allowed


@pytest.mark.parametrize(
    ("method", "is_allowed"),
    [
        ("logos.kernel.v1.Registry/Resolve", True),
        ("logos.kernel.v1.Capability/RequestToken", True),
        ("logos.kernel.v1.Capability/IssueOperatorToken", False),
        ("logos.kernel.v1.Supervisor/StopModule", False),
    ],
)
def test_a_module_that_declares_all_is_still_no_operator(method: str, *, is_allowed: bool) -> None:
    decision = Policy({"chat": ["*"]}, SERVES).decide(CHAT, KERNEL, method)

    assert decision.is_allowed is is_allowed


STOP = "logos.kernel.v1.Supervisor/StopModule"
ISSUE = "logos.kernel.v1.Capability/IssueOperatorToken"


@pytest.mark.parametrize(
    ("role", "method", "is_read_only", "is_allowed"),
    [
        (Role.VIEWER, GET, True, True),
        (Role.VIEWER, PUT, False, False),
        (Role.VIEWER, STOP, False, False),
        (Role.OPERATOR, PUT, False, True),
        (Role.OPERATOR, STOP, False, True),
        (Role.OPERATOR, ISSUE, False, False),
        (Role.OPERATOR, "logos.kernel.v1.Capability/Explain", True, True),
        (Role.VIEWER, "logos.kernel.v1.Capability/Explain", True, True),
        (Role.OPERATOR, "logos.kernel.v1.Capability/ReadAudit", True, False),
        (Role.ADMIN, ISSUE, False, True),
    ],
)
def test_an_operators_calls(
    role: Role, method: str, *, is_read_only: bool, is_allowed: bool
) -> None:
    ada = OperatorSubject("ada", role)

    decision = Policy({}, {}).decide(ada, "storage", method, is_read_only=is_read_only)

    assert decision.is_allowed is is_allowed
    assert decision.rule


METHODS = st.sampled_from([f"a.b.{service}/{name}" for service in "ST" for name in "xyz"])
PATTERNS = st.one_of(METHODS, st.sampled_from(["*", "a.b.S/*", "a.b.T/*"]))
GRANTS = st.builds(
    Grant,
    st.sampled_from(["chat", "mail"]),
    st.sampled_from(["storage", "mixnet"]),
    st.lists(PATTERNS, max_size=2).map(tuple),
    st.booleans(),
)


ALL = [f"/a.b.{service}/{name}" for service in "ST" for name in "xyz"]


@settings(max_examples=2000)
@given(st.lists(PATTERNS, max_size=3), st.lists(GRANTS, max_size=4), st.lists(PATTERNS, max_size=2))
def test_a_token_allows_what_the_policy_says_and_nothing_else(
    declared: list[str], grants: list[Grant], asked: list[str]
) -> None:
    """kernel.md 14.27: six triples for each example, 12,000 in all."""
    policy = Policy({"chat": declared}, {"storage": ["a.b.S", "a.b.T"]}, grants)

    held = policy.patterns("chat", "storage", ALL, asked)

    for method in (one[1:] for one in ALL):
        is_allowed = policy.decide(CHAT, "storage", method).is_allowed
        assert allows(held, method) == (is_allowed and (not asked or allows(asked, method)))
