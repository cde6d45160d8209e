"""A token admits its holder, to its callee, for its methods, in its time (kernel.md 14.28)."""

import dataclasses
from dataclasses import dataclass

import pytest
from nacl.public import PrivateKey
from nacl.signing import SigningKey

from logos_base.capabilities import Claims, ModuleSubject, Revocation
from logos_base.errors import LogosError
from logos_module.capabilities.agreement import public_key_of
from logos_module.capabilities.proofs import Prover, shared_key
from logos_module.capabilities.tokens import sign
from logos_module.capabilities.verifier import Verifier

KERNEL = SigningKey(bytes(32))
PUT = "logos.storage.v1.Storage/Put"
NOW_S = 1000


@dataclass
class Clock:
    now_s: int = NOW_S

    def __call__(self) -> int:
        return self.now_s


@dataclass
class Caller:
    """A module with a key, and a token that the kernel made for it."""

    private: PrivateKey
    claims: Claims

    def call(self, verifier: Verifier, method: str = PUT, token: bytes | None = None) -> Claims:
        own = public_key_of(self.private)
        key = shared_key(
            self.private,
            verifier.public_key,
            caller=own,
            callee=verifier.public_key,
            instance_id=b"i" * 16,
        )
        proof = Prover(key).prove(self.claims.token_id, method)
        return verifier.admit(token or sign(self.claims, KERNEL), proof, method)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def storage(clock: Clock) -> Verifier:
    return verifier_of("storage", clock)


@pytest.fixture
def chat() -> Caller:
    private = PrivateKey.generate()
    subject = ModuleSubject("chat", b"i" * 16, 3)
    key = public_key_of(private)
    claims = Claims(b"t" * 16, subject, "storage", (PUT,), NOW_S, NOW_S + 600, key)
    return Caller(private, claims)


def verifier_of(module: str, clock: Clock) -> Verifier:
    verifier = Verifier(module, PrivateKey.generate(), clock)
    verifier.trust([KERNEL.verify_key.encode()])
    return verifier


def refusal(caller: Caller, verifier: Verifier, method: str = PUT) -> str:
    with pytest.raises(LogosError) as caught:
        caller.call(verifier, method)
    return caught.value.reason


def test_its_holder_is_admitted(storage: Verifier, chat: Caller) -> None:
    assert chat.call(storage) == chat.claims


def test_not_to_another_callee(chat: Caller, clock: Clock) -> None:
    assert refusal(chat, verifier_of("mixnet", clock)) == "TOKEN_INVALID"


def test_not_for_another_method(storage: Verifier, chat: Caller) -> None:
    assert refusal(chat, storage, "logos.storage.v1.Storage/Get") == "METHOD_DENIED"


def test_not_after_it_has_expired(storage: Verifier, chat: Caller, clock: Clock) -> None:
    chat.call(storage)
    clock.now_s += 600

    assert refusal(chat, storage) == "TOKEN_EXPIRED"


def test_not_by_another_holder(storage: Verifier, chat: Caller) -> None:
    thief = dataclasses.replace(chat, private=PrivateKey.generate())

    assert refusal(thief, storage) == "PROOF_INVALID"


def test_not_once_it_is_revoked(storage: Verifier, chat: Caller) -> None:
    chat.call(storage)

    storage.revoke(Revocation("chat", issued_until_s=NOW_S))
    storage.revoke(Revocation("chat", before_epoch=1))

    assert refusal(chat, storage) == "TOKEN_REVOKED"


def test_one_issued_since_holds(storage: Verifier, chat: Caller) -> None:
    storage.revoke(Revocation("chat", issued_until_s=NOW_S - 1))
    storage.revoke(Revocation("mixnet", issued_until_s=NOW_S))

    chat.call(storage)


@pytest.mark.parametrize(("before_epoch", "reason"), [(3, ""), (4, "TOKEN_REVOKED")])
def test_not_once_its_holder_was_started_again(
    storage: Verifier, chat: Caller, before_epoch: int, reason: str
) -> None:
    storage.revoke(Revocation("chat", before_epoch))
    storage.revoke(Revocation("chat", before_epoch=1))

    if reason:
        assert refusal(chat, storage) == reason
    else:
        chat.call(storage)


def test_old_tokens_hold_while_their_key_is_trusted(storage: Verifier, chat: Caller) -> None:
    newer = SigningKey.generate().verify_key.encode()
    old = KERNEL.verify_key.encode()

    storage.trust([newer, old])
    chat.call(storage)
    storage.trust([newer])

    assert refusal(chat, storage) == "TOKEN_INVALID"


def test_without_any_key_callers_are_to_try_again(chat: Caller, clock: Clock) -> None:
    """KER-15: a process that is not registered yet cannot tell a good token from a bad one."""
    starting = Verifier("storage", PrivateKey.generate(), clock)

    assert refusal(chat, starting) == "MODULE_NOT_READY"
