"""`logosctl describe`: what can be called of a module."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final

import typer
from google.protobuf import descriptor_pb2
from google.protobuf.message import DecodeError

from logos.kernel.v1 import router_pb2 as pb
from logos.kernel.v1.router_pb2_grpc import RouterStub
from logos.module.v1 import invocation_pb2
from logos_cli.arguments import utf8
from logos_cli.console import Output, print_json, shown
from logos_cli.session import FormOption, session_of

ADVICE: Final = {"MODULE_NOT_FOUND": "`logosctl module list` shows the modules of the node"}


def command(
    context: typer.Context,
    target: Annotated[str, typer.Argument(help="Module.", callback=utf8)],
    output: FormOption = None,
) -> None:
    """Show what can be called of a module, and its events."""
    session = session_of(context)
    request = pb.DescribeRequest(target=target)
    answer = session.ask(lambda channel: RouterStub(channel).Describe, request)
    typed = list(_typed(answer))
    if session.form(output) is Output.JSON:
        print_json(_record(answer, typed))
        return
    for one in typed:
        returns = f"{'stream ' * one['response_streams']}{one['response']}"
        print(
            shown(
                f"{one['method']}({'stream ' * one['request_streams']}{one['request']})"
                f" -> {returns}"
            )
        )
    for method in answer.interface.methods:
        stream = "stream " * method.streams
        print(_line(method.name, method.parameters, f" -> {stream}{method.returns}", method))
    for event in answer.interface.events:
        print(_line(f"event {event.name}", event.parameters, "", event))
    for record in answer.interface.records:
        print(shown(f"record {record.name} {{{_parameters(record.fields)}}}"))


def _line(name: str, parameters: Any, rest: str, described: Any) -> str:
    text = f"{name}({_parameters(parameters)}){rest}"
    return shown(f"{text}  # {described.description}" if described.description else text)


def _parameters(parameters: Iterable[invocation_pb2.ParameterDescription]) -> str:
    return ", ".join(f"{one.name}: {one.type}" for one in parameters)


def _typed(answer: pb.DescribeResponse) -> Iterator[dict[str, Any]]:
    """Yields the methods of the gRPC services, as far as the descriptors hold them."""
    files = descriptor_pb2.FileDescriptorSet()
    try:
        files.ParseFromString(answer.file_descriptor_set)
    except DecodeError:
        return
    for file in files.file:
        for service in file.service:
            name = f"{file.package}.{service.name}".removeprefix(".")
            if name not in answer.services:
                continue
            for method in service.method:
                level = method.options.idempotency_level
                yield {
                    "method": f"{name}/{method.name}",
                    "request": method.input_type.removeprefix("."),
                    "response": method.output_type.removeprefix("."),
                    "request_streams": method.client_streaming,
                    "response_streams": method.server_streaming,
                    "repetition": descriptor_pb2.MethodOptions.IdempotencyLevel.Name(level),
                }


def _record(answer: pb.DescribeResponse, typed: list[dict[str, Any]]) -> dict[str, Any]:
    described = answer.interface
    return {
        "module": answer.module,
        "version": answer.version,
        "instance_id": answer.served_by.instance_id.hex(),
        "epoch": answer.served_by.epoch,
        "services": list(answer.services),
        "typed_methods": typed,
        "methods": [
            {
                "name": one.name,
                "parameters": _fields(one.parameters),
                "returns": one.returns,
                "streams": one.streams,
                "repetition": invocation_pb2.Repetition.Name(one.repetition)
                .removeprefix("REPETITION_")
                .replace("UNSPECIFIED", "UNKNOWN"),
                "description": one.description,
            }
            for one in described.methods
        ],
        "events": [
            {
                "name": one.name,
                "parameters": _fields(one.parameters),
                "description": one.description,
            }
            for one in described.events
        ],
        "records": [{"name": one.name, "fields": _fields(one.fields)} for one in described.records],
    }


def _fields(
    parameters: Iterable[invocation_pb2.ParameterDescription],
) -> list[dict[str, str]]:
    return [{"name": one.name, "type": one.type} for one in parameters]
