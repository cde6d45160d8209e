"""The keys of a kernel follow from its master key, and from nothing else."""

from nacl.signing import VerifyKey

from logos_base.capabilities import Claims, ModuleSubject
from logos_kernel.operations.keyring import Keyring
from logos_module.capabilities.errors import TokenInvalidError
from logos_module.capabilities.tokens import key_id_of, verify

MASTER = b"m" * 32
CLAIMS = Claims(b"t" * 16, ModuleSubject("chat", b"i" * 16, 1), "storage", ("*",), 1, 2, bytes(32))


def accepts(keyring: Keyring, token: bytes) -> bool:
    keys = {key_id_of(key): VerifyKey(key) for key in keyring.signing_keys()}
    try:
        return verify(token, keys) == CLAIMS
    except TokenInvalidError:
        return False


def test_a_kernel_that_was_started_again_has_the_same_keys() -> None:
    one, two = Keyring(MASTER, 3), Keyring(MASTER, 3)

    assert one.signing_keys() == two.signing_keys()
    assert one.agreement_key() == two.agreement_key()
    assert one.join_secret("chat") == two.join_secret("chat")
    assert accepts(two, one.sign(CLAIMS))


def test_no_two_keys_are_the_same() -> None:
    ring, other = Keyring(MASTER, 1), Keyring(b"n" * 32, 1)
    keys = [
        *(each.join_secret(name) for each in (ring, other) for name in ("chat", "mail", "1")),
        *(key for each in (ring, other) for key in (*each.signing_keys(), each.agreement_key())),
    ]

    assert len(set(keys)) == len(keys) == 14


def test_tokens_of_the_last_key_and_of_the_next_hold() -> None:
    tokens = [Keyring(MASTER, generation).sign(CLAIMS) for generation in range(4)]

    assert [accepts(Keyring(MASTER, 2), token) for token in tokens] == [False, True, True, True]
    assert [accepts(Keyring(MASTER, 1), token) for token in tokens] == [True, True, True, False]
    assert len(Keyring(MASTER, 0).signing_keys()) == 2, "its own, and the next one"
