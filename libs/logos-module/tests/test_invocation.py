"""KER-28: methods by name, with typed arguments; kernel.md 14.17 and 14.18, direct."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance_cases import REFUSED, Case, cases, said
from conformance_interface import Blob, extended_api, full_api
from logos.module.v1 import invocation_pb2 as pb
from logos.module.v1.invocation_pb2_grpc import InvocationStub
from logos.module.v1.value_pb2 import List, Map, Value
from logos_client.channels import channel_to
from logos_module.errors import reason_of
from logos_module.invocation import (
    Interface,
    InvalidArgsError,
    MethodFailedError,
    Outcome,
    Uint,
    from_value,
    serve,
    to_value,
)
from logos_module.server import Server
from open_access import OpenAccess

TABLES = {"cases": full_api, "ext-cases": extended_api}
EVERY = [(table, case) for table in TABLES for case in cases(table)]


@asynccontextmanager
async def serving(interface: Interface, folder: Path) -> AsyncIterator[Any]:
    server = Server(OpenAccess())
    serve(interface, server)
    await server.start([f"unix:{folder}/module.sock"])
    try:
        async with channel_to(f"unix:{folder}/module.sock") as channel:
            yield InvocationStub(channel)
    finally:
        await server.stop(0)


async def outcome(stub: Any, method: str, args: list[Value]) -> str:
    """Returns the result as JSON, or the reason of the refusal."""
    try:
        answer = await stub.Invoke(pb.InvokeRequest(method=method, args=args), timeout=60)
    except grpc.aio.AioRpcError as error:
        return reason_of(error)
    return said(answer.value)


@pytest.mark.vectors
@pytest.mark.parametrize("table", TABLES)
async def test_published_cases_hold_directly(table: str, tmp_path: Path) -> None:
    """kernel.md 14.17."""
    async with serving(TABLES[table](), tmp_path) as stub:
        got = [(each.id, await outcome(stub, each.method, each.values())) for each in cases(table)]

    assert got == [(each.id, each.expected) for each in cases(table)]


@pytest.mark.vectors
@pytest.mark.parametrize(("table", "case"), EVERY, ids=[f"{t}:{c.id}" for t, c in EVERY])
async def test_each_case_holds_without_a_wire(table: str, case: Case) -> None:
    """kernel.md 14.17."""
    method = TABLES[table]().methods[case.method]
    args = [Value.FromString(arg.SerializeToString()) for arg in case.values()]

    try:
        result = said(method.returns.write(await method.function(*method.read(args))))
    except InvalidArgsError as error:
        result = error.reason

    assert result == case.expected
    assert (case.expected == REFUSED) == case.id.startswith(("hostile/", "[bstr]/lenient"))


async def test_failures_are_told_apart_and_null_is_a_success(tmp_path: Path) -> None:
    """kernel.md 14.18."""
    interface = full_api()

    @interface.method(name="refuse")
    async def refuse() -> None:
        raise MethodFailedError("not today")

    @interface.method(name="breaks")
    async def breaks() -> str:
        raise ValueError("a secret")

    @interface.method(name="lies")
    async def lies() -> str:
        return 7  # type: ignore[return-value]  # what a module does wrong

    one, two = to_value("a"), to_value("b")
    async with serving(interface, tmp_path) as stub:
        assert await outcome(stub, "doVoid", []) == "null"
        assert await outcome(stub, "missing", []) == "METHOD_NOT_FOUND"
        assert await outcome(stub, "echoString", []) == "INVALID_ARGS"
        assert await outcome(stub, "echoString", [one, two]) == "INVALID_ARGS"
        assert await outcome(stub, "echoString", [Value()]) == "INVALID_ARGS"
        assert await outcome(stub, "doVoid", [one]) == "INVALID_ARGS"
        assert await outcome(stub, "refuse", []) == "METHOD_FAILED"
        assert await outcome(stub, "breaks", []) == "INTERNAL"
        assert await outcome(stub, "lies", []) == "INTERNAL"


async def test_methods_stream_and_describe_themselves(tmp_path: Path) -> None:
    interface = Interface()

    @interface.method()
    async def count(to: Uint) -> AsyncIterator[int]:
        """Counts.

        Slowly.
        """
        for number in range(to):
            yield number

    @interface.method()
    async def keep(blob: Blob, note: str | None) -> dict[str, list[Blob]]:
        return {note or "": [blob]}

    interface.event("kept", "One more.", blob=Blob)
    async with serving(interface, tmp_path) as stub:
        call = stub.InvokeStream(pb.InvokeStreamRequest(method="count", args=[to_value(3)]))
        got = [from_value(one.value) async for one in call]
        told = await stub.DescribeInterface(pb.DescribeInterfaceRequest())
        wrong = await outcome(stub, "count", [to_value(3)])

    assert got == [0, 1, 2]
    assert wrong == "METHOD_NOT_FOUND"
    counted, kept = told.methods
    assert (counted.name, counted.streams, counted.returns) == ("count", True, "int")
    assert counted.description == "Counts."
    assert [one.type for one in kept.parameters] == ["Blob", "?tstr"]
    assert kept.returns == "{tstr: [Blob]}"
    assert [one.type for one in told.records[0].fields] == ["tstr", "uint", "bstr"]
    assert told.events[0].description == "One more."


@pytest.mark.parametrize(
    "wrong",
    [
        lambda interface: interface.method(name="plain")(lambda: None),
        lambda interface: interface.method()(_untyped),
        lambda interface: interface.method()(_keyword_only),
        lambda interface: interface.method()(_of_set),
    ],
)
def test_functions_that_are_no_methods_are_refused(wrong: Any) -> None:
    with pytest.raises(TypeError):
        wrong(Interface())


async def _untyped(a) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    pass


async def _keyword_only(*, a: str) -> None:
    pass


async def _of_set(a: set[str]) -> None:
    pass


def test_names_are_taken_once() -> None:
    with pytest.raises(ValueError, match="taken"):
        full_api().method(name="echoString")(_of_text)
    with pytest.raises(ValueError, match="taken"):
        full_api().method(name="no.name")(_of_text)


async def _of_text(a: str) -> str:
    return a


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        | st.builds(Outcome, st.booleans(), inner, st.text(max_size=3))
    ),
    max_leaves=12,
)


@pytest.mark.property
@given(anything)
def test_values_come_back_as_they_are(said_by: object) -> None:
    came = from_value(Value.FromString(to_value(said_by).SerializeToString()))

    assert repr(in_order(came)) == repr(in_order(said_by))


def in_order(one: object) -> object:
    """Returns it with its maps, which have no order, sorted."""
    match one:
        case dict():
            return {name: in_order(one[name]) for name in sorted(one)}
        case list():
            return [in_order(each) for each in one]
        case Outcome():
            return Outcome(one.ok, in_order(one.value), one.error)
    return one


def nested(depth: int) -> Value:
    value = Value(bool_value=True)
    for level in range(depth):
        if level % 2:
            value = Value(list_value=List(values=[value]))
        else:
            value = Value(map_value=Map(values={"": value}))
    return value


async def test_the_deepest_value_passes_and_a_deeper_one_is_refused(tmp_path: Path) -> None:
    async with serving(full_api(), tmp_path) as stub:
        assert await outcome(stub, "echoAny", [nested(32)]) == said(nested(32))
        assert await outcome(stub, "echoAny", [nested(33)]) == "INVALID_ARGS"
        assert await outcome(stub, "echoList", [nested(34)]) == "INVALID_ARGS"


@pytest.mark.parametrize("wrong", [2**64, -(2**63) - 1])
def test_integers_over_64_bits_are_no_values(wrong: int) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        to_value(wrong)


def test_other_objects_are_no_values() -> None:
    with pytest.raises(TypeError):
        to_value({1: "a"})
    with pytest.raises(TypeError):
        to_value(object())
