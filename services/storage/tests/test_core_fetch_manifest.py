import hashlib

from logos_base.errors import NetworkDeniedError
from logos_base.machine import Answer, Refuse, Ticket
from logos_storage.core import manifest as manifests
from logos_storage.core.cid import MANIFEST, TREE, Cid, cid_of
from logos_storage.core.errors import (
    BadDataError,
    NoProvidersError,
    ProvidersUnreachableError,
)
from logos_storage.core.fetch_manifest import (
    FIRST_PAUSE_MS,
    MAX_ASKED,
    MAX_PAUSE_MS,
    Ask,
    Effect,
    FetchManifest,
    Found,
    Search,
)
from logos_storage.core.manifest import Manifest

RAW = manifests.encode(Manifest(Cid(TREE, bytes(32)), 100, 65536))
CID = cid_of(MANIFEST, RAW)
PATIENCE_MS = 10_000
T = Ticket(1)


def begun(cid: Cid = CID) -> FetchManifest:
    machine = FetchManifest(cid)
    assert machine.fetch(T, PATIENCE_MS, 0) == [Search()]
    return machine


def refusal(effects: list[Effect]) -> type[Exception]:
    (effect,) = effects
    assert isinstance(effect, Refuse)
    assert effect.ticket == T
    return type(effect.error)


def test_the_first_true_answer_ends_it() -> None:
    machine = begun()
    assert machine.found("a", 1) == [Ask("a")]
    assert machine.found("b", 2) == [Ask("b")]

    assert machine.answered("b", RAW, 3) == [Answer(T, Found("b", RAW))]

    assert machine.answered("a", RAW, 4) == []
    assert machine.next_wake_ms() is None


def test_a_few_are_asked_at_a_time_each_once_a_round() -> None:
    machine = begun()
    asked = [machine.found(str(number), 0) for number in range(MAX_ASKED)]
    assert asked == [[Ask(str(number))] for number in range(MAX_ASKED)]

    assert machine.found("next", 0) == []
    assert machine.found("next", 0) == []
    assert machine.found("0", 0) == []
    assert machine.unreachable("0", 1) == [Ask("next")]


def test_an_answer_is_believed_for_its_hash_alone() -> None:
    nonsense = b"no manifest"
    machine = begun(cid_of(MANIFEST, nonsense))
    machine.found("a", 0)
    machine.found("b", 0)
    machine.search_ended(0)

    assert machine.answered("a", RAW, 1) == []
    assert refusal(machine.answered("b", nonsense, 2)) is BadDataError


def test_rounds_follow_after_growing_pauses() -> None:
    machine, now_ms, pauses = begun(), 0, []

    for _ in range(6):
        assert machine.search_ended(now_ms) == []
        due_ms = machine.next_wake_ms() or 0
        pauses.append(due_ms - now_ms)
        now_ms = due_ms
        assert machine.tick(now_ms) == [Search()]

    assert pauses == [FIRST_PAUSE_MS, 200, 400, 800, MAX_PAUSE_MS, MAX_PAUSE_MS]


def test_a_round_ends_when_the_search_and_every_answer_are_over() -> None:
    machine = begun()
    machine.found("a", 0)

    assert machine.search_ended(1) == []
    assert machine.next_wake_ms() == PATIENCE_MS
    assert machine.unreachable("a", 50) == []

    assert machine.next_wake_ms() == 50 + FIRST_PAUSE_MS
    assert machine.tick(50 + FIRST_PAUSE_MS) == [Search()]
    assert machine.found("a", 200) == [Ask("a")]


def test_a_provider_that_lied_is_not_asked_again() -> None:
    machine = begun()
    machine.found("liar", 0)
    machine.found("gone", 0)
    machine.lied("liar", 1)
    machine.unreachable("gone", 1)
    machine.search_ended(1)
    machine.tick(1 + FIRST_PAUSE_MS)

    assert machine.found("liar", 200) == []
    assert machine.found("gone", 200) == [Ask("gone")]


def test_when_patience_ends_the_failure_says_whether_to_try_again() -> None:
    nobody, absent, silent = begun(), begun(), begun()
    nobody.search_ended(0)
    absent.found("a", 0)
    absent.answered("a", None, 1)
    absent.search_ended(1)
    silent.found("a", 0)

    assert nobody.tick(PATIENCE_MS - 1) == [Search()]
    assert refusal(nobody.tick(PATIENCE_MS)) is NoProvidersError
    assert refusal(absent.tick(PATIENCE_MS)) is NoProvidersError
    assert refusal(silent.tick(PATIENCE_MS)) is ProvidersUnreachableError
    assert silent.unreachable("a", PATIENCE_MS + 1) == []


def test_as_many_providers_as_may_be_are_remembered_and_no_more() -> None:
    machine = begun()
    for number in range(5000):
        machine.found(hashlib.sha256(str(number).encode()).hexdigest(), 0)

    assert len(machine._outcomes) + len(machine._waiting) <= 1024


def test_where_this_node_cannot_ask_it_ends_at_once() -> None:
    machine = begun()
    machine.found("a", 1)

    assert refusal(machine.fail(NetworkDeniedError("denied"), 2)) is NetworkDeniedError

    assert machine.search_ended(3) == []
    assert machine.next_wake_ms() is None
