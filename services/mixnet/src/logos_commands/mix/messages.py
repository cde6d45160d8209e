"""`logosctl mix send` and `listen`: messages over the mix."""

import base64
from typing import Annotated, Any, Final

import grpc
import typer

from logos.network.v1 import mix_pb2 as pb
from logos.network.v1.mix_pb2_grpc import MixStub
from logos_cli.arguments import utf8
from logos_cli.console import Output, print_json_line, shown, sized, stderr
from logos_cli.exits import UsageError, explained
from logos_cli.running import run_interruptibly
from logos_cli.session import FormOption, session_of
from logos_commands.mix.destinations import DestinationArgument, peer_id_of
from logos_commands.mix.ping import DelayOption
from logos_commands.mix.records import anonymity_record, anonymity_said
from logos_commands.mix.sources import content_of

CODEC: Final = "/logosctl/text/1.0.0"
MAX_FLOOR_BITS: Final = 64.0

CodecOption = Annotated[
    str, typer.Option(metavar="CODEC", help="What the content is, e.g. /chat/1.0.0.", callback=utf8)
]


def send(
    context: typer.Context,
    destination: DestinationArgument,
    file: Annotated[str, typer.Argument(metavar="[FILE]", help="File, or - for stdin.")] = "-",
    *,
    codec: CodecOption = CODEC,
    delay: DelayOption = None,
    redundancy: Annotated[
        int, typer.Option(min=1, max=5, help="Packets for each piece, on paths of their own.")
    ] = 1,
    floor: Annotated[
        float,
        typer.Option(
            min=0, max=MAX_FLOOR_BITS, metavar="BITS", help="The least anonymity; else a warning."
        ),
    ] = 0.0,
    refuse: Annotated[
        bool, typer.Option("--refuse", help="With --floor: send nothing if there is less.")
    ] = False,
    output: FormOption = None,
) -> None:
    """Send a message, at most 1 MiB; whether it arrives is not told.

    It returns when the last packet has left, which takes several times the delay of a hop.
    """
    session = session_of(context)
    with explained():
        if refuse and not floor:
            raise UsageError("--refuse needs a --floor in bits, e.g. --floor 4")
        content = run_interruptibly(content_of(file))
    action = pb.FLOOR_ACTION_REFUSE if refuse else pb.FLOOR_ACTION_WARN
    route = pb.Route(
        destination=peer_id_of(session, destination),
        redundancy=redundancy,
        floor_bits=floor,
        below_floor=action,
    )
    if delay is not None:
        route.mean_delay.FromMilliseconds(delay)
    request = pb.SendRequest(route=route, codec=codec, content=content)

    async def work(channel: grpc.aio.Channel) -> pb.SendResponse:
        return await MixStub(channel).Send(request)

    answer = session.call(work)
    record: dict[str, Any] = {
        "to": destination,
        "peer_id": route.destination,
        "codec": codec,
        "bytes": len(content),
        "packets": answer.packets,
        "anonymity": anonymity_record(answer.anonymity),
        "below_floor": answer.below_floor,
    }
    packets = "1 packet" if answer.packets == 1 else f"{answer.packets} packets"
    session.report(record, f"{sized(len(content))} have left in {packets}", output)
    if session.form(output) is Output.TABLE:
        _note(f"what hides it: {anonymity_said(record['anonymity'])}")
    if answer.below_floor:
        _note(f"warning: that is below the floor of {floor:g} bits")


def listen(
    context: typer.Context,
    *,
    codec: CodecOption = CODEC,
    count: Annotated[
        int, typer.Option(min=0, help="End after so many messages; 0: go on until Ctrl-C.")
    ] = 0,
    output: FormOption = None,
) -> None:
    """Print the messages that come for a codec, as long as it runs; none is kept before.

    With --output json each is a line, and what is not UTF-8 stands in `content_base64`.
    """
    session = session_of(context)
    as_json = session.form(output) is Output.JSON

    async def work(channel: grpc.aio.Channel) -> None:
        stream = MixStub(channel).Listen(pb.MixListenRequest(codec=codec))
        is_open, taken = False, 0
        async for message in stream:
            if not is_open:
                is_open = True
                _note(f"{session.node}: listens for {shown(codec)}")
                continue
            _print(message, as_json=as_json)
            taken += 1
            if taken == count:
                stream.cancel()
                return

    session.call(work)


def _print(message: pb.MixListenResponse, *, as_json: bool) -> None:
    if as_json:
        print_json_line(record(message))
        return
    try:
        text = shown(message.content.decode())
    except UnicodeDecodeError:
        text = f"{sized(len(message.content))} that are not text"
    wanted = "  (an answer is asked for)" if message.reply_token else ""
    print(f"{text}{wanted}", flush=True)


def record(message: pb.MixListenResponse) -> dict[str, Any]:
    """A message as a record of the output."""
    fields: dict[str, Any] = {"bytes": len(message.content)}
    try:
        fields["content"] = message.content.decode()
    except UnicodeDecodeError:
        fields["content_base64"] = base64.b64encode(message.content).decode()
    fields["reply_token_base64"] = base64.b64encode(message.reply_token).decode() or None
    fields["reply_limit_bytes"] = message.reply_limit_bytes
    return fields


def _note(text: str) -> None:
    stderr().print(text, markup=False, highlight=False)
