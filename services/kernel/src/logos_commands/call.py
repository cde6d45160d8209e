"""`logosctl call`: calls a method of a module by name."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

import grpc
import typer

from logos.kernel.v1 import router_pb2 as pb
from logos.kernel.v1.router_pb2_grpc import RouterStub
from logos.module.v1.value_pb2 import Value
from logos_cli.arguments import utf8
from logos_cli.console import Output, print_json, print_json_line
from logos_cli.session import FormOption, session_of
from logos_cli.values import InvalidValueError, json_of, value_of

ADVICE: Final = {
    "METHOD_NOT_FOUND": "`logosctl describe MODULE` shows what can be called",
    "INVALID_ARGS": "`logosctl describe MODULE` shows the types of the arguments",
    "POLICY_DENIED": "`logosctl explain` says by which rule",
}

_TEXT: Final = "str:"


def command(
    context: typer.Context,
    target: Annotated[str, typer.Argument(help="Module that is called.", callback=utf8)],
    method: Annotated[str, typer.Argument(help="Name, or package.Service/Method.", callback=utf8)],
    args: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ARG...", help="Arguments as JSON, or str:TEXT.", show_default=False
        ),
    ] = None,
    *,
    stream: Annotated[bool, typer.Option("--stream", help="Print results as they come.")] = False,
    output: FormOption = None,
) -> None:
    """Call a method of a module; print its result as JSON.

    The argument of package.Service/Method is one object with the fields of its request. Write
    bytes as {"_bytes": "BASE64URL"}. A -- must come before arguments that begin with a dash.
    """
    session = session_of(context)
    values = [argument(text) for text in args or []]
    request = pb.CallRequest(target=target, method=method, args=values)
    if stream:

        async def work(channel: grpc.aio.Channel) -> None:
            async for response in _responses(channel, request, session.timeout_s):
                print_json_line(json_of(response.value))

        session.call(work)
        return
    answer = session.ask(lambda channel: RouterStub(channel).Call, request)
    if session.form(output) is Output.JSON:
        print_json(
            {
                "target": target,
                "method": method,
                "value": json_of(answer.value),
                "instance_id": answer.served_by.instance_id.hex(),
                "epoch": answer.served_by.epoch,
            }
        )
    else:
        print_json(json_of(answer.value))


def argument(text: str) -> Value:
    """Returns the value that an argument stands for, or raises `typer.BadParameter`."""
    utf8(text)
    try:
        return value_of(text[4:] if text.startswith(_TEXT) else json.loads(text))
    except InvalidValueError as error:
        raise typer.BadParameter(str(error), param_hint="'ARG'") from error
    except (ValueError, RecursionError) as error:
        hint = f"not JSON: {text[:80]}; write text as '{_TEXT}{text[:20]}'"
        raise typer.BadParameter(hint, param_hint="'ARG'") from error


async def _responses(
    channel: grpc.aio.Channel, request: pb.CallRequest, timeout_s: float | None
) -> AsyncIterator[pb.CallStreamResponse]:
    stub: Any = RouterStub(channel)
    call = stub.CallStream(iter([pb.CallStreamRequest(open=request)]), timeout=timeout_s)
    async for response in call:
        yield response
