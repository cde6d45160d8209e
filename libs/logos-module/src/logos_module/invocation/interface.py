"""The methods and events that a module offers by name."""

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, TypeVar, get_args, get_type_hints

from logos.module.v1 import invocation_pb2 as pb
from logos.module.v1.value_pb2 import Value
from logos_module.invocation.errors import InvalidArgsError, MethodNotFoundError
from logos_module.invocation.types import Records, ValueType, type_of

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
MAX_ARGS: Final = 64
MAX_ENTRIES: Final = 256
"""Methods, events and records of an interface, each."""
F = TypeVar("F", bound=Callable[..., Any])


class Repetition(IntEnum):
    """Whether a call may be made more than once, such as after a lost connection (KER-31)."""

    UNKNOWN = pb.REPETITION_UNSPECIFIED
    NO_SIDE_EFFECTS = pb.REPETITION_NO_SIDE_EFFECTS
    IDEMPOTENT = pb.REPETITION_IDEMPOTENT


@dataclass(frozen=True, slots=True)
class Method:
    """One method: a coroutine function, or an asynchronous generator if it streams."""

    function: Callable[..., Any]
    parameters: dict[str, ValueType]
    returns: ValueType
    repetition: Repetition
    streams: bool

    def read(self, args: Iterable[Value]) -> list[object]:
        """Returns the arguments of the function, or raises `InvalidArgsError`."""
        given = list(args)
        if len(given) != len(self.parameters):
            raise InvalidArgsError(f"takes {len(self.parameters)} arguments, got {len(given)}")
        kinds = self.parameters.items()
        return [kind.read(arg, name, 0) for (name, kind), arg in zip(kinds, given, strict=True)]


class Interface:
    """Registers functions as methods, by decorator, and tells of events."""

    def __init__(self) -> None:
        self.methods: dict[str, Method] = {}
        self.events: dict[str, tuple[dict[str, ValueType], str]] = {}
        self.records: Records = {}

    def method(
        self, *, name: str | None = None, repetition: Repetition = Repetition.UNKNOWN
    ) -> Callable[[F], F]:
        """Registers a coroutine function, or an asynchronous generator, as a method.

        All its parameters are positional and have annotations, as has its result: `str`,
        `bytes`, `bool`, `int`, `Uint`, `float`, `list`, `dict[str, …]`, dataclasses,
        `Outcome`, `Any`, or any of these `| None`. The first line of its docstring
        describes it.

        Args:
            name: Its name, if it is not the function's.
            repetition: Whether the kernel may call it again where it does not know the outcome.

        Raises:
            TypeError: The function is none of these, or a type is none of these.
            ValueError: The name is taken, or none.
        """

        def register(function: F) -> F:
            self._add(name or function.__name__, function, repetition)
            return function

        return register

    def event(self, name: str, description: str = "", **parameters: Any) -> None:
        """Tells of an event that the module publishes, and the types of what it carries."""
        self._check(name, self.events)
        kinds = {each: type_of(hint, self.records) for each, hint in parameters.items()}
        self.events[name] = kinds, description

    def find(self, name: str, *, streams: bool) -> Method:
        """Returns a method, or raises `MethodNotFoundError`."""
        method = self.methods.get(name)
        if method is None:
            raise MethodNotFoundError(f"no method is named {name[:64]}")
        if method.streams is not streams:
            word = "a stream, of InvokeStream" if method.streams else "one value, of Invoke"
            raise MethodNotFoundError(f"{name} returns {word}")
        return method

    def describe(self) -> pb.DescribeInterfaceResponse:
        """Returns what can be called."""
        response = pb.DescribeInterfaceResponse()
        for name, method in sorted(self.methods.items()):
            response.methods.add(
                name=name,
                parameters=_described(method.parameters),
                returns=method.returns.name,
                description=_first_line(method.function),
                streams=method.streams,
                repetition=pb.Repetition.ValueType(method.repetition),
            )
        for name, (parameters, description) in sorted(self.events.items()):
            response.events.add(
                name=name, parameters=_described(parameters), description=description
            )
        for name, record in sorted(self.records.items()):
            response.records.add(name=name, fields=_described(record.fields))
        return response

    def _add(self, name: str, function: Callable[..., Any], repetition: Repetition) -> None:
        self._check(name, self.methods)
        streams = inspect.isasyncgenfunction(function)
        if not streams and not inspect.iscoroutinefunction(function):
            raise TypeError(f"{name} must be a coroutine function or an asynchronous generator")
        hints = get_type_hints(function, include_extras=True)
        parameters = inspect.signature(function).parameters
        if any(one.kind is not one.POSITIONAL_OR_KEYWORD for one in parameters.values()):
            raise TypeError(f"{name}: parameters must be positional")
        if len(parameters) > MAX_ARGS or hints.keys() != {*parameters, "return"}:
            raise TypeError(f"{name}: up to {MAX_ARGS} parameters and the result need annotations")
        returns = get_args(hints["return"])[0] if streams else hints["return"]
        self.methods[name] = Method(
            function,
            {each: type_of(hints[each], self.records) for each in parameters},
            type_of(returns, self.records),
            repetition,
            streams,
        )

    def _check(self, name: str, taken: dict[str, Any]) -> None:
        if not NAME.fullmatch(name) or name in taken:
            raise ValueError(f"{name} is taken, or not {NAME.pattern}")
        if len(taken) == MAX_ENTRIES:
            raise ValueError(f"an interface has at most {MAX_ENTRIES} of these")


def _described(kinds: dict[str, ValueType]) -> list[pb.ParameterDescription]:
    return [pb.ParameterDescription(name=name, type=kind.name) for name, kind in kinds.items()]


def _first_line(function: Callable[..., Any]) -> str:
    return (inspect.getdoc(function) or "").partition("\n")[0]
