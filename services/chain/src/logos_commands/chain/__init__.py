"""`logosctl chain`: blocks, transactions, and whether the node leads."""

from typing import Annotated, Any, Final

import typer

from logos.chain.v1 import admin_pb2
from logos.chain.v1 import chain_pb2 as pb
from logos.chain.v1.admin_pb2_grpc import ChainAdminStub
from logos.chain.v1.chain_pb2_grpc import ChainNodeStub
from logos_cli.console import Output, print_json, print_rows, shown
from logos_cli.session import FormOption, session_of
from logos_commands.chain import checkpoints
from logos_commands.chain.blocks import block, blocks, forks, watch
from logos_commands.chain.declarations import declarations
from logos_commands.chain.records import ADVICE, point_record
from logos_commands.chain.transactions import mempool, note, transaction

__all__ = ["ADVICE", "command"]

command: Final = typer.Typer(
    help="The chain: blocks, transactions, leading.", add_completion=False, no_args_is_help=True
)


@command.callback()
def group() -> None:
    """The chain: blocks, transactions, leading."""


command.command("blocks")(blocks)
command.command("block")(block)
command.command("forks")(forks)
command.command("watch")(watch)
command.command("transaction")(transaction)
command.command("mempool")(mempool)
command.command("note")(note)
command.command("declarations")(declarations)
command.add_typer(checkpoints.command, name="checkpoint")


@command.command("info")
def info(context: typer.Context, output: FormOption = None) -> None:
    """Show where the chain and the node stand."""
    session = session_of(context)
    answer = session.ask(lambda channel: ChainNodeStub(channel).GetInfo, pb.GetInfoRequest())
    record = _info_record(answer)
    if session.form(output) is Output.JSON:
        print_json(record)
        return
    for name, said in _info_said(record):
        print(f"{name:>10}  {shown(said)}")


@command.command("supply")
def supply(context: typer.Context, output: FormOption = None) -> None:
    """Show where all tokens are."""
    session = session_of(context)
    answer = session.ask(lambda channel: ChainNodeStub(channel).GetSupply, pb.GetSupplyRequest())
    names = ("free", "locked", "in_channels", "pool", "pending", "burned", "genesis", "emitted")
    record = {name: getattr(answer, name) for name in (*names, "reward_share")}
    print_rows([record], (*names, "reward_share"), session.form(output))


@command.command("lead")
def lead(
    context: typer.Context,
    is_on: Annotated[bool, typer.Option("--on/--off", help="Whether the node makes blocks.")],
    output: FormOption = None,
) -> None:
    """Switch making blocks on or off, also after a restart."""
    session = session_of(context)
    request = admin_pb2.SetLeadingRequest(is_on=is_on)
    session.ask(lambda channel: ChainAdminStub(channel).SetLeading, request)
    print_rows([{"leading": is_on}], ("leading",), session.form(output))


@command.command("bootstrap")
def bootstrap(
    context: typer.Context,
    from_genesis: Annotated[
        bool, typer.Option("--from-genesis", help="Give all blocks up, and download them again.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Give up what is final here.")] = False,
    output: FormOption = None,
) -> None:
    """Compare all chains again before any more blocks are final."""
    if from_genesis and not yes:
        raise typer.BadParameter(
            "this drops final blocks; compare heights with the other side, then add --yes"
        )
    session = session_of(context)
    if from_genesis:
        again = admin_pb2.StartOverRequest()
        session.ask(lambda channel: ChainAdminStub(channel).StartOver, again)
        what = "the node ends; once its kernel has started it again, it downloads the chain"
        print_rows([{"starts_over": what}], ("starts_over",), session.form(output))
        return
    request = admin_pb2.ForceBootstrapRequest()
    session.ask(lambda channel: ChainAdminStub(channel).ForceBootstrap, request)
    print_rows([{"phase": "PROLONGED"}], ("phase",), session.form(output))


def _info_record(found: pb.GetInfoResponse) -> dict[str, Any]:
    leading = found.leading
    return {
        "chain_id": found.chain_id,
        "insecure": found.is_insecure,
        "preset": found.preset,
        "genesis_id": found.genesis_id.hex(),
        "genesis_time": found.genesis_time.ToJsonString(),
        "spec_hash": found.spec_hash.hex(),
        "phase": _phase(found.phase),
        "slot": found.slot,
        "slot_ms": found.slot_ms,
        "slots_per_block": found.slots_per_block,
        "finality_blocks": found.finality_blocks,
        "tip": point_record(found.tip),
        "final": point_record(found.final),
        "epoch": {
            "number": found.epoch.number,
            "first_slot": found.epoch.first_slot,
            "end_slot": found.epoch.end_slot,
            "nonce": found.epoch.nonce.hex(),
            "aged_root": found.epoch.aged_root.hex(),
            "total_stake": found.epoch.total_stake,
        },
        "circuits": {each.name: each.key_hash.hex() for each in found.circuits},
        "leading": {
            "standing": leading.standing,
            "is_leading": leading.is_leading,
            "won": leading.won,
            "proposed": leading.proposed,
            "on_tip": leading.on_tip,
            "missed": leading.missed,
            "too_late": leading.too_late,
            "last_slot": leading.last_slot,
            "last_miss": leading.last_miss,
        },
        "mempool": {
            "transactions": found.mempool_transactions,
            "bytes": found.mempool_bytes,
        },
        "download": {
            "blocks": found.downloaded_blocks,
            "target_slot": found.download_target_slot,
            "diverged_peers": found.diverged_peers,
        },
        "checkpoint": {
            "height": found.checkpoint_height,
            "hash": found.checkpoint_hash.hex(),
        },
    }


def _phase(phase: "pb.Phase.ValueType") -> str:
    if phase not in pb.Phase.values():
        return str(phase)  # of a newer node
    name: str = pb.Phase.Name(phase)
    return name.removeprefix("PHASE_")


def _info_said(record: dict[str, Any]) -> list[tuple[str, str]]:
    tip, final, lead_ = record["tip"], record["final"], record["leading"]
    mark = " INSECURE: its secrets follow from a seed" if record["insecure"] else ""
    ago = max(0, record["slot"] - tip["slot"]) * record["slot_ms"] / 1000
    rows = [
        ("chain", f"{record['chain_id']} ({record['preset']}){mark}"),
        ("phase", _PHASES.get(record["phase"], record["phase"])),
        ("tip", f"block {tip['height']}, {ago:.0f} s ago  {tip['id']}"),
        ("final", f"block {final['height']}, {tip['height'] - final['height']} below the tip"),
        ("epoch", f"{record['epoch']['number']}, until slot {record['epoch']['end_slot']}"),
        ("slot", str(record["slot"])),
        ("leading", f"{lead_['standing']}; {lead_['proposed']} of {lead_['won']} won slots"),
        ("mempool", f"{record['mempool']['transactions']} transactions"),
    ]
    if record["checkpoint"]["hash"]:
        begun = record["checkpoint"]
        rows.append(("begun", f"with the checkpoint of block {begun['height']}, {begun['hash']}"))
    if record["download"]["diverged_peers"]:
        count = record["download"]["diverged_peers"]
        said = "1 peer follows" if count == 1 else f"{count} peers follow"
        rows.append(("split", f"{said} a chain that left this one too long ago"))
        rows.append(("", "the side that gives way: chain bootstrap --from-genesis"))
    return rows


_PHASES: Final = {
    "DOWNLOADING": "downloading the chain",
    "PROLONGED": "comparing chains; nothing is final yet",
    "ONLINE": "online",
}
