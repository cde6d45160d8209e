"""`/channel/…` (HTP-15, HTP-17)."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from logos_chain.core.errors import ChannelUnknownError
from logos_chain.core.wallet.types import Order
from logos_chain.http.answers import answering, as_json
from logos_chain.http.given import to_deposit
from logos_chain.http.operations import Operations
from logos_chain.http.orders import PAYING, named_of, paid_by
from logos_chain.http.reading import Bodies, Parameters, fields, identifier, number


class ChannelRoutes:
    """Channels at the tip, and deposits into them."""

    def __init__(self, operations: Operations, bodies: Bodies) -> None:
        self._with = operations
        self._bodies = bodies

    def add_to(self, router: APIRouter) -> None:
        """Adds the routes."""
        router.add_route("/channel/deposit", answering(self.deposit), methods=["POST"])
        router.add_route("/channel/{id}", answering(self.channel), methods=["GET"])

    async def channel(self, request: Request) -> Response:
        """Returns the state of a channel."""
        Parameters(request, ())
        wanted = identifier(request.path_params["id"], "id")
        found = (await self._with.follow.at_tip(lambda ledger: ledger.channel(wanted))).value
        if found is None:
            raise ChannelUnknownError("channel not found at the tip")
        return as_json(
            {
                "accredited_keys": [each.hex() for each in found.keys],
                "configuration_threshold": found.configuration_threshold,
                "tip_message": found.tip.hex(),
                "tip_slot": found.tip_slot,
                "tip_sequencer": found.sequencer,
                "tip_sequencer_starting_slot": found.sequencer_since_slot,
                "posting_timeframe": found.posting_timeframe_slots,
                "posting_timeout": found.posting_timeout_slots,
                "transfer_threshold": found.transfer_threshold,
            }
        )

    async def deposit(self, request: Request) -> Response:
        """Deposits notes of the wallet into a channel."""
        order = await self._bodies.read(request, _deposit_order)
        hash_ = await self._with.purse.wallet.fulfil(order, named_of(request))
        return as_json({"hash": hash_.hex()})


def _deposit_order(value: Any) -> Order:
    found = fields(value, "body", ("deposit", *PAYING, "max_tx_fee"), ("tip",))
    return paid_by(
        found,
        operations=(to_deposit(found["deposit"], "deposit"),),
        max_paid=number(found["max_tx_fee"], "max_tx_fee"),
    )
