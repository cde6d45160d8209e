"""Serves `logos.chain.v1.ZoneSequencer`. The contract lists the errors; here they are raised."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import grpc

from logos.chain.v1 import zone_pb2 as pb
from logos.chain.v1.zone_pb2_grpc import ZoneSequencerServicer as Contract
from logos_chain.core.wallet.types import Deposit
from logos_chain.core.zone_errors import NotSignedError, RequestUnexpectedError
from logos_chain.operations.zones.governing import GovernOperations
from logos_chain.operations.zones.writing import WriteOperations, Writer, first_of
from logos_chain.rpc import convert
from logos_chain.rpc.wallet_values import to_note
from logos_chain.rpc.zone_values import (
    from_checkpoint,
    from_drafted,
    from_told,
    to_config,
    to_new_config,
)
from logos_module.contexts import Context

PROOF_S: Final = 30.0
"""How long a caller has to say who it is."""


class ZoneSequencerServicer(Contract):
    """One per process; holds no state of its own."""

    def __init__(self, write: WriteOperations, govern: GovernOperations) -> None:
        self._write = write
        self._govern = govern

    async def CreateChannel(
        self, request: pb.CreateChannelRequest, context: Context
    ) -> pb.CreateChannelResponse:
        """Makes a channel of several sequencers."""
        return pb.CreateChannelResponse(hash=await self._write.create(to_config(request)))

    async def Publish(  # type: ignore[override]  # reads and writes by its context
        self, request_iterator: AsyncIterator[pb.PublishRequest], context: Context
    ) -> None:
        """Writes payloads for as long as the call is open."""
        try:
            async with asyncio.timeout(PROOF_S):
                channel, key = await self._proven(context)
        except TimeoutError:
            raise NotSignedError("the caller has not proven that it has the key") from None
        async with self._write.opened(channel, key) as writer:
            checkpoint = writer.checkpoint
            opened = pb.PublishResponse.Opened(
                next_number=checkpoint.next_number,
                pending=[each.number for each in checkpoint.pending],
            )
            await context.write(pb.PublishResponse(opened=opened))
            try:
                async with asyncio.TaskGroup() as tasks:
                    running = [
                        tasks.create_task(writer.run()),
                        tasks.create_task(_tell(context, writer)),
                    ]
                    await _hear(context, writer)
                    for each in running:
                        each.cancel()
            except BaseExceptionGroup as group:
                raise first_of(group) from None

    async def GetCheckpoint(
        self, request: pb.GetCheckpointRequest, context: Context
    ) -> pb.GetCheckpointResponse:
        """Returns what the next call with a key would go on from."""
        kept = await self._write.checkpoint(*_name(request))
        return from_checkpoint(kept)

    async def Forget(self, request: pb.ForgetRequest, context: Context) -> pb.ForgetResponse:
        """Drops what is kept of a sequencer."""
        await self._write.forget(*_name(request))
        return pb.ForgetResponse()

    async def SetConfig(
        self, request: pb.SetConfigRequest, context: Context
    ) -> pb.SetConfigResponse:
        """Drafts new keys and rules."""
        drafted = await self._govern.configuration(to_new_config(request))
        return pb.SetConfigResponse(draft=from_drafted(drafted))

    async def Withdraw(self, request: pb.WithdrawRequest, context: Context) -> pb.WithdrawResponse:
        """Drafts the release of notes."""
        channel = convert.identifier(request.channel, "channel")
        notes = [convert.identifier(each, "notes") for each in request.notes]
        output = to_note(request.output) if request.HasField("output") else None
        drafted = await self._govern.withdrawal(channel, notes, output)
        return pb.WithdrawResponse(draft=from_drafted(drafted))

    async def SubmitSigned(
        self, request: pb.SubmitSignedRequest, context: Context
    ) -> pb.SubmitSignedResponse:
        """Submits a drafted change with the signatures of its keys."""
        signatures = {
            convert.identifier(each.key, "signatures"): each.signature
            for each in request.signatures
        }
        hash_ = await self._govern.signed(request.transaction, request.transfer_proof, signatures)
        return pb.SubmitSignedResponse(hash=hash_)

    async def Abandon(self, request: pb.AbandonRequest, context: Context) -> pb.AbandonResponse:
        """Frees the notes that a drafted change reserves."""
        self._govern.abandon(request.transaction)
        return pb.AbandonResponse()

    async def Deposit(self, request: pb.DepositRequest, context: Context) -> pb.DepositResponse:
        """Gives a value of the node's wallet to a channel."""
        channel = convert.identifier(request.channel, "channel")
        wanted = Deposit(channel, request.value, request.metadata)
        return pb.DepositResponse(hash=await self._govern.deposit(wanted, request.idempotency_key))

    async def _proven(self, context: Context) -> tuple[bytes, bytes]:
        opening = (await _request(context, "open")).open
        channel = convert.identifier(opening.channel, "channel")
        key = convert.identifier(opening.key, "key")
        challenge = self._write.challenge()
        await context.write(
            pb.PublishResponse(challenge=pb.PublishResponse.Challenge(challenge=challenge))
        )
        proof = (await _request(context, "proof")).proof
        self._write.check(channel, key, challenge, proof.signature)
        return channel, key


def _name(request: pb.GetCheckpointRequest | pb.ForgetRequest) -> tuple[bytes, bytes]:
    return convert.identifier(request.channel, "channel"), convert.identifier(request.key, "key")


async def _request(context: Context, kind: str) -> Any:
    request = await context.read()
    if request is grpc.aio.EOF or request.WhichOneof("request") != kind:
        raise RequestUnexpectedError(f"`{kind}` was to come")
    return request


async def _tell(context: Context, writer: Writer) -> None:
    while True:
        await context.write(from_told(await writer.next()))


async def _hear(context: Context, writer: Writer) -> None:
    while (request := await context.read()) is not grpc.aio.EOF:
        match request.WhichOneof("request"):
            case "payload":
                await writer.publish(request.payload.number, request.payload.payload)
            case "signature":
                writer.signed(request.signature.message, request.signature.signature)
            case _:
                raise RequestUnexpectedError("a sequencer is opened once")
