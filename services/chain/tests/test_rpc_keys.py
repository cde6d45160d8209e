"""FAU-4, FAU-5, WAL-2, WAL-27: the faucet and the phrase; and nothing secret is told elsewhere."""

import logging
from itertools import pairwise
from pathlib import Path
from typing import Any

import grpc
import pytest
from chain_ledger import CHANNEL, KEYS
from chain_rpc import (
    FAUCET,
    FIRST,
    OWN,
    PASSPHRASE,
    Served,
    failure,
    first,
    key_of,
    outcome,
    refused,
    retry_ms,
    served,
    told,
)
from chain_wallet import SHOP
from chain_world import until

from logos.chain.v1 import admin_pb2, chain_pb2, transaction_pb2
from logos.chain.v1 import wallet_pb2 as pb
from logos_chain.config import Config
from logos_chain.core.wallet.derivation import Role
from logos_chain.core.wallet.phrase import PHRASE_WORDS, entropy_of, seed_of
from logos_chain.operations.wallets.keystores import KEYSTORE, account_of
from logos_mantle.channels import ChannelInscribe
from logos_mantle.operations import encode_operation

NO_FIELD = b"\xff" * 32
SWAPPED = "abandon " * 23 + "zoo"
"""Words of the list that are no phrase together."""


async def balance(node: Served) -> int:
    return int((await node.wallet.GetBalance(pb.GetBalanceRequest())).confirmed)


async def export(node: Served) -> str:
    return str((await node.wallet.ExportPhrase(pb.ExportPhraseRequest())).phrase)


async def restore(node: Served, phrase: str) -> None:
    await node.wallet.RestorePhrase(pb.RestorePhraseRequest(phrase=phrase))
    await until(lambda: node.rooms.wallet._book.machine is not None)
    await node.settle()


# -- the faucet ------------------------------------------------------------------------------------


async def test_the_faucet_pays_and_then_waits_for_a_block() -> None:
    async with served(has_faucet=True) as node:
        paid = await node.wallet.Faucet(pb.FaucetRequest(public_key=SHOP))
        assert (paid.value, paid.public_key) == (10_000, SHOP)
        error = await failure(node.wallet.Faucet(pb.FaucetRequest()))
        assert told(error) == ("RESOURCE_EXHAUSTED", "FAUCET_WAITS")
        assert retry_ms(error) == 2000  # a block, as wanted
        await node.settle()
        block = await node.include("with it")
        assert [each.hash for each in block.transactions] == [paid.hash]

        own = await node.wallet.Faucet(pb.FaucetRequest())

        assert own.public_key in {key_of(FIRST.phrase, each) for each in range(20)}
        await node.settle()
        await node.include("with that")
        assert await balance(node) == sum(OWN) + 10_000


async def test_a_faucet_without_tokens_says_so() -> None:
    config = Config(Path("unused"), lead=False, faucet_value=1_500_000)
    async with served(has_faucet=True, config=config) as node:
        await node.wallet.Faucet(pb.FaucetRequest(public_key=SHOP))
        await node.settle()
        await node.include("with it")
        call = node.wallet.Faucet(pb.FaucetRequest(public_key=SHOP))
        assert await refused(call) == ("FAILED_PRECONDITION", "FAUCET_EMPTY")


async def test_without_a_faucet_nobody_pays_and_keys_that_are_none_are_refused() -> None:
    async with served() as node:
        call = node.wallet.Faucet
        assert await refused(call(pb.FaucetRequest())) == ("NOT_FOUND", "NO_FAUCET")
        short, large = pb.FaucetRequest(public_key=b"x"), pb.FaucetRequest(public_key=NO_FIELD)
        assert await refused(call(short)) == ("INVALID_ARGUMENT", "INVALID_ID")
        assert await refused(call(large)) == ("INVALID_ARGUMENT", "WALLET_ORDER_INVALID")


# -- the phrase ------------------------------------------------------------------------------------


async def test_a_wallet_is_replaced_by_new_words_and_restored_from_the_old() -> None:
    async with served() as node:
        assert await export(node) == FIRST.phrase
        made = (await node.wallet.NewWallet(pb.NewWalletRequest())).phrase
        assert len(made.split()) == PHRASE_WORDS[-1]
        assert made != FIRST.phrase
        await until(lambda: node.rooms.wallet._book.machine is not None)
        assert await export(node) == made
        assert await balance(node) == 0

        await restore(node, "\n ".join(FIRST.phrase.upper().split()))

        assert await export(node) == FIRST.phrase
        assert await balance(node) == sum(OWN)
        names = {each.name for each in node.node.folder.iterdir()}
        assert len([each for each in names if each.startswith(KEYSTORE)]) == 3


@pytest.mark.parametrize(
    ("phrase", "reason"),
    [
        ("", "WALLET_PHRASE_LENGTH"),
        (FIRST.phrase + " abandon", "WALLET_PHRASE_LENGTH"),
        ("x" * 100_000, "WALLET_PHRASE_LENGTH"),
        (FIRST.phrase.rsplit(" ", 1)[0] + " secretword", "WALLET_PHRASE_WORD"),
        (SWAPPED, "WALLET_PHRASE_CHECKSUM"),
    ],
)
async def test_what_is_no_phrase_changes_nothing_and_is_not_repeated(
    phrase: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with served() as node:
        error = await failure(node.wallet.RestorePhrase(pb.RestorePhraseRequest(phrase=phrase)))
        assert told(error) == ("INVALID_ARGUMENT", reason)
        assert await export(node) == FIRST.phrase
        assert await balance(node) == sum(OWN)
    said = f"{error.details()} {error.trailing_metadata()} {caplog.text}"
    assert "secretword" not in said
    assert not any(pair in said for pair in pairs_of(phrase))


# -- secrets ---------------------------------------------------------------------------------------


def pairs_of(phrase: str) -> set[str]:
    """Neighbouring words of a phrase."""
    return {" ".join(pair) for pair in pairwise(phrase.split())}


def secrets_of(phrase: str) -> set[bytes]:
    account = account_of(phrase)
    roles = [each for each in Role if each is not Role.VOUCHER]
    keys = [account.secret_key(role, at) for role in roles for at in range(3)]
    keys += [account.voucher_secret(each) for each in range(3)]
    raw = {entropy_of(phrase), seed_of(phrase), *keys}
    texts = {each.hex().encode() for each in raw}
    return raw | texts | {each.encode() for each in pairs_of(phrase)} | {PASSPHRASE.encode()}


async def all_that_is_told(node: Served) -> bytes:
    """What all methods answer but those that are there to tell the phrase."""
    chain, wallet, admin = node.chain, node.wallet, node.admin
    outputs = [transaction_pb2.Note(value=1000, public_key=SHOP)]
    inscribe = ChannelInscribe(CHANNEL, b"hello", bytes(32), KEYS[0])
    wanted = pb.PrepareTransactionRequest.Wanted(raw=encode_operation(inscribe))
    sent = await wallet.Send(pb.SendRequest(outputs=outputs, idempotency_key=b"k"))
    calls: list[Any] = [
        chain.GetInfo(chain_pb2.GetInfoRequest()),
        chain.GetBlock(chain_pb2.GetBlockRequest(height=0)),
        chain.GetBlock(chain_pb2.GetBlockRequest()),
        chain.ListBlocks(chain_pb2.ListBlocksRequest()),
        chain.ListForks(chain_pb2.ListForksRequest()),
        chain.ListMempool(chain_pb2.ListMempoolRequest()),
        chain.GetTransaction(chain_pb2.GetTransactionRequest(hash=sent.hash)),
        chain.GetSupply(chain_pb2.GetSupplyRequest()),
        chain.SubmitTransaction(chain_pb2.SubmitTransactionRequest(raw=b"x")),
        wallet.NewAddress(pb.NewAddressRequest()),
        wallet.GetBalance(pb.GetBalanceRequest()),
        wallet.ListNotes(pb.ListNotesRequest()),
        wallet.ListHistory(pb.ListHistoryRequest()),
        wallet.ListVouchers(pb.ListVouchersRequest()),
        wallet.PrepareTransaction(pb.PrepareTransactionRequest(operations=[wanted])),
        wallet.Send(pb.SendRequest(outputs=outputs, tip=2**64 - 1)),
        wallet.Claim(pb.ClaimRequest()),
        wallet.Faucet(pb.FaucetRequest()),
        wallet.Watch(pb.WatchRequest(public_key=SHOP)),
        wallet.RestorePhrase(pb.RestorePhraseRequest(phrase=SWAPPED)),
        admin.SetLeading(admin_pb2.SetLeadingRequest(is_on=True)),
        admin.ForceBootstrap(admin_pb2.ForceBootstrapRequest()),
    ]
    found = [await answer_of(each) for each in calls]
    for each in (
        chain.WatchBlocks(chain_pb2.WatchBlocksRequest()),
        chain.WatchTransaction(chain_pb2.WatchTransactionRequest(hash=sent.hash)),
    ):
        found.append((await first(each)).SerializeToString())
        each.cancel()
    return b"".join(found)


async def answer_of(call: Any) -> bytes:
    found = await outcome(call)
    if isinstance(found, grpc.aio.AioRpcError):
        return f"{found.code()} {found.details()} {found.trailing_metadata()}".encode()
    return bytes(found.SerializeToString())


async def test_no_secret_is_in_any_answer_error_or_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with served(has_faucet=True) as node:
        await node.lead("led", node.world.spend(0))
        answers = await all_that_is_told(node)
        made = (await node.wallet.NewWallet(pb.NewWalletRequest())).phrase
        await restore(node, FIRST.phrase)
        kept = "".join(f"{each}" for each in (node.rooms.around, node.rooms.wallet, node.rooms))
    logged = "".join(f"{each.getMessage()} {each.__dict__}" for each in caplog.records)
    told_ = answers + kept.encode() + logged.encode()
    for phrase in (FIRST.phrase, FAUCET.phrase, made):
        assert not [each for each in secrets_of(phrase) if each in told_]
