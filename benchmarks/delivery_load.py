"""What a delivery node takes: messages with proofs that it verifies, and messages that it keeps.

Both come from the gossip of another node, as they do from any network, so that what is measured is
the node that takes them. Parts of benchmarks/delivery.py.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from benchmarks.gossip import Heard, Publisher
from benchmarks.report import Figure, say
from benchmarks.running import Running

from logos.delivery.v1 import relay_pb2, relay_pb2_grpc, store_pb2, store_pb2_grpc
from logos.network.v1 import gossip_pb2, gossip_pb2_grpc
from logos_delivery.core.errors import NetworkUnavailableError
from logos_delivery.core.message import Message, encode
from logos_delivery.core.relay import proof as proofs
from logos_delivery.net.proofs import NetworkProofs

LOCAL: Final = "/waku/2/rs/66/0"
OTHER: Final = "/waku/2/rs/3/0"
VERIFIED_BAR: Final = 100
PAYLOAD_BYTES: Final = 1024
PROVERS: Final = 2
TRIED: Final = 5
PERIOD_MS: Final = 120_000
MARGIN: Final = 1.2
SETTLE_S: Final = 3.0
PATIENCE_S: Final = 60.0
CHUNK_S: Final = 0.02
LEAD_S: Final = 5
"""A burst is stamped with the time at which it begins: relays take what is 20 s away."""


async def until_followed(net: Running, topic: str) -> None:
    """Waits until the first node knows that the second one follows a topic."""
    async with asyncio.timeout(PATIENCE_S), await net.module("node1", "mixnet") as channel:
        stub = gossip_pb2_grpc.GossipStub(channel)
        while True:
            listed = await stub.ListTopics(gossip_pb2.ListTopicsRequest())
            if any(one.topic == topic and one.peers for one in listed.topics):
                break
            await asyncio.sleep(0.2)
    await asyncio.sleep(SETTLE_S)


@asynccontextmanager
async def publishing(net: Running, topic: str, heard: Heard) -> AsyncIterator[Publisher]:
    """The first node's gossip, past its delivery module."""
    async with await net.module("node1", "mixnet") as channel, asyncio.TaskGroup() as tasks:
        publisher = Publisher(channel, topic, heard)
        running = [tasks.create_task(publisher.write()), tasks.create_task(publisher.read())]
        try:
            yield publisher
        finally:
            for each in running:
                each.cancel()


async def until_member(prover: NetworkProofs) -> None:
    """Waits until the node is a member, which it is from the next epoch on."""
    say("waiting for the membership, up to two epochs")
    async with asyncio.timeout(2 * PERIOD_MS / 1000):
        while True:
            try:
                await prover.prove(proofs.RELAY_IDENTIFIER, b"is a member")
            except NetworkUnavailableError:
                await asyncio.sleep(1)
            else:
                return


async def seconds_of_a_proof(prover: NetworkProofs) -> float:
    """How long a proof takes when none was prepared."""
    began = time.perf_counter()
    for number in range(TRIED):
        await prover.prove(proofs.RELAY_IDENTIFIER, b"takes so long %d" % number)
    return (time.perf_counter() - began) / TRIED


async def proven(prover: NetworkProofs, count: int) -> list[Message]:
    """Messages with proofs, stamped with the time when all are ready; returns a bit before it.

    A message's epoch is that of its stamp, and a proof's that of its making: both are the same
    one, at whose begin this begins.
    """
    seconds = count * await seconds_of_a_proof(prover) * MARGIN + LEAD_S
    if seconds > PERIOD_MS / 1000:
        raise SystemExit(f"{count} proofs take {seconds:.0f} s, longer than an epoch: ask for less")
    say(f"making {count} proofs, up to {seconds:.0f} s from the next epoch on")
    await asyncio.sleep((PERIOD_MS - time.time_ns() // 1_000_000 % PERIOD_MS) / 1000)
    stamp_ns = time.time_ns() + int(seconds * 1e9)
    turn, found = asyncio.Semaphore(PROVERS), list[Message]()
    content_topic = f"/benchmark-{secrets.token_hex(4)}/1/p/proto"

    async def prove(number: int) -> None:
        payload = number.to_bytes(8, "big") * (PAYLOAD_BYTES // 8)
        message = Message(payload, content_topic, timestamp_ns=stamp_ns)
        async with turn:
            made = await prover.prove(proofs.RELAY_IDENTIFIER, proofs.signal_of(message))
        raw = proofs.of_lip144(made, proofs.RELAY_IDENTIFIER).encode()
        found.append(replace(message, proof=raw))

    async with asyncio.TaskGroup() as tasks:
        for number in range(count):
            tasks.create_task(prove(number))
    await asyncio.sleep(max(0.0, (stamp_ns - time.time_ns()) / 1e9 - LEAD_S))
    return found


async def proof_figures(net: Running, count: int) -> list[Figure]:
    """Messages a second that the second node verifies, which the first one has made before."""
    heard, times = Heard(), list[float]()
    async with await net.module("node1", "mixnet") as first:
        prover = NetworkProofs(first)
        await until_member(prover)
        await until_followed(net, LOCAL)
        messages = await proven(prover, count)
    async with (
        await net.module("node2", "delivery") as second,
        publishing(net, LOCAL, heard) as publisher,
    ):
        stub = relay_pb2_grpc.RelayStub(second)
        call = stub.Receive(relay_pb2.RelayReceiveRequest(pubsub_topics=[LOCAL]))
        await call.read()
        began = time.perf_counter()
        for message in messages:
            publisher.put(encode(message))
        try:
            async with asyncio.timeout(PATIENCE_S):
                while len(times) < count:
                    times += [time.perf_counter()] * len((await call.read()).messages)
        except TimeoutError:
            say("not all have come")
    taken_s = times[-1] - began if times else PATIENCE_S
    return [
        Figure("verified by one node", len(times) / taken_s, "msg/s", at_least=VERIFIED_BAR),
        Figure("verified: not accepted in a minute", count - len(times), f"of {count}", at_most=0),
    ]


async def _kept(stub: store_pb2_grpc.StoreStub) -> store_pb2.StoreGetStatsResponse:
    return await stub.GetStats(store_pb2.StoreGetStatsRequest(), timeout=PATIENCE_S)


async def store_figures(net: Running, rate: int, seconds: int) -> list[Figure]:
    """Messages of 1 KiB at a rate into the archive of the second node."""
    heard, total = Heard(), rate * seconds
    content_topic = f"/benchmark-{secrets.token_hex(4)}/1/s/proto"
    await until_followed(net, OTHER)
    async with (
        await net.module("node2", "delivery") as second,
        publishing(net, OTHER, heard) as publisher,
    ):
        stub = store_pb2_grpc.StoreStub(second)
        before = (await _kept(stub)).messages
        say(f"{rate} messages a second into the store for {seconds} s")
        began, count = time.perf_counter(), 0
        while count < total:
            due = min(total, int((time.perf_counter() - began) * rate) + 1)
            for number in range(count, due):
                payload = number.to_bytes(8, "big") * (PAYLOAD_BYTES // 8)
                one = Message(payload, content_topic, timestamp_ns=time.time_ns())
                publisher.put(encode(one))
            count = due
            await asyncio.sleep(CHUNK_S)
        sent_s = time.perf_counter() - began
        kept, at = -1, began
        while (now := (await _kept(stub)).messages - before) != kept:
            kept, at = now, time.perf_counter()
            if kept == total:
                break
            await asyncio.sleep(SETTLE_S)
        stats = await _kept(stub)
    refused = sum(stats.refused.values())
    return [
        Figure("store: sent", total / sent_s, "msg/s", at_least=0.98 * rate),
        Figure("store: lost", total - kept, f"of {total}", at_most=0),
        Figure("store: refused by the archive", refused, f"of {total}", at_most=0),
        Figure("store: refused by gossip", heard.refused, f"of {total}", at_most=0),
        Figure("store: all kept after", at - began, "s"),
    ]
