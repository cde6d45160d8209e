"""The methods that the published cases of logos-test-modules call, by our SDK."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from logos_module.invocation import Interface, Outcome, Repetition, Uint

FULL: Final = "test_fullapi_rust"
EXTENDED: Final = "test_fullapi_ext_rust"
"""The providers of the cases as which these answer: the strict ones."""


@dataclass(frozen=True, slots=True)
class Blob:
    id: str
    n: Uint
    payload: bytes


@dataclass(frozen=True, slots=True)
class Wrapper:
    inner: Blob
    tags: list[str]
    blobs: list[Blob]


@dataclass(frozen=True, slots=True)
class Opt:
    required: str
    maybe: str | None
    count: Uint | None
    blob: bytes | None


_FULL: Final[dict[str, Any]] = {
    "echoString": str,
    "echoBytes": bytes,
    "echoInt": int,
    "echoUint": Uint,
    "echoDouble": float,
    "echoBool": bool,
    "echoAny": Any,
    "echoStringList": list[str],
    "echoIntList": list[int],
    "echoUintList": list[Uint],
    "echoDoubleList": list[float],
    "echoBoolList": list[bool],
    "echoList": list[Any],
    "echoMap": dict[str, Any],
}
_EXTENDED: Final[dict[str, Any]] = {
    "echoBlob": Blob,
    "echoWrapper": Wrapper,
    "echoBlobList": list[Blob],
    "echoBlobMap": dict[str, Blob],
    "echoBytesList": list[bytes],
    "echoBytesMap": dict[str, bytes],
    "echoIntMap": dict[str, int],
    "echoStringMap": dict[str, str],
    "echoNestedInts": list[list[int]],
    "echoMapOfBytesLists": dict[str, list[bytes]],
    "echoOpt": Opt,
    "echoOptList": list[Opt],
    "echoOptional": str | None,
}


def full_api() -> Interface:
    """Returns the methods of `full_api.lidl`."""
    interface = _echoing(_FULL, FULL)

    @interface.method(name="echoTriple", repetition=Repetition.NO_SIDE_EFFECTS)
    async def echo_triple(i: int, s: str, b: bytes) -> str:
        return f"i={i}|s={s}|b={b.hex()}"

    @interface.method(name="doVoid")
    async def do_void() -> None:
        pass

    @interface.method(name="makeResult")
    async def make_result(ok: bool) -> Outcome:  # noqa: FBT001 - as published
        if ok:
            return Outcome(ok=True, value={"ok": True, "provider": FULL})
        return Outcome(ok=False, error="deliberate error for testing")

    return interface


def extended_api() -> Interface:
    """Returns the methods of `test_fullapi_ext_rust.lidl`."""
    interface = _echoing(_EXTENDED, EXTENDED)

    @interface.method(name="fireBlobEvent")
    async def fire_blob_event(v: Blob) -> bool:
        return bool(v.id) or True

    interface.event("blobEvent", v=Blob)
    return interface


def _echoing(kinds: dict[str, Any], provider: str) -> Interface:
    interface = Interface()

    @interface.method(name="whoAmI", repetition=Repetition.NO_SIDE_EFFECTS)
    async def who_am_i() -> str:
        return provider

    for name, hint in kinds.items():
        interface.method(name=name, repetition=Repetition.NO_SIDE_EFFECTS)(_echo(hint))
    return interface


def _echo(hint: Any) -> Callable[..., Any]:
    async def echo(v: Any) -> Any:
        return v

    echo.__annotations__ = {"v": hint, "return": hint}
    return echo
