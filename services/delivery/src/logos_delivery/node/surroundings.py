"""What the rooms of one node share: settings, the network's limits, and its ports."""

import asyncio
from dataclasses import dataclass

import grpc

from logos_delivery.config import Config
from logos_delivery.core.presets import Preset
from logos_delivery.core.relay.proof import RELAY_IDENTIFIER
from logos_delivery.core.relay.relay_guard import RateLimits
from logos_delivery.net.calls import MODULE
from logos_delivery.net.mix import NetworkMix
from logos_delivery.net.proofs import NetworkProofs
from logos_delivery.net.registry import NetworkRegistry
from logos_delivery.net.requests import StreamRequests
from logos_module.network.services import NetworkServices
from logos_module.network.streams import PeerStreams


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the rooms of one node share."""

    config: Config
    network: grpc.aio.Channel
    """To the network module."""
    stopping: asyncio.Event
    limits: RateLimits | None
    """Of the network; None: messages carry no proofs."""
    proofs: NetworkProofs
    services: NetworkServices
    streams: PeerStreams
    requests: StreamRequests
    mix: NetworkMix | None
    """None where nothing is sent through the mix-net."""
    registry: NetworkRegistry | None = None
    """Of members; None: what members do is told to none."""

    @property
    def preset(self) -> Preset:
        """What all nodes of the network agree on."""
        return self.config.preset

    @property
    def identifier(self) -> bytes | None:
        """Of the application that proofs are for; None: messages carry no proofs."""
        return None if self.limits is None else self.limits.identifier


async def surroundings_of(
    config: Config,
    network: grpc.aio.Channel,
    stopping: asyncio.Event,
    registry: NetworkRegistry | None = None,
) -> Surroundings:
    """Builds the ports, and asks the network module for the network's limits."""
    proofs, streams = NetworkProofs(network), PeerStreams(network, MODULE)
    services = NetworkServices(network, MODULE)
    return Surroundings(
        config,
        network,
        stopping,
        await _rate_limits(config, proofs),
        proofs,
        services,
        streams,
        StreamRequests(streams),
        _mix(config, network, services),
        registry,
    )


def _mix(config: Config, network: grpc.aio.Channel, services: NetworkServices) -> NetworkMix | None:
    """Returns the mix-net, if messages may leave through it."""
    if not config.via_mix:
        return None
    return NetworkMix(network, services.lacking, mean_delay_ms=config.mix_delay_ms)


async def _rate_limits(config: Config, proofs: NetworkProofs) -> RateLimits | None:
    """Returns the network's rate limits, if it has any."""
    preset = config.preset.rln
    if preset is None or not config.rln:
        return None
    if preset.epoch_s is not None:
        return RateLimits(preset.epoch_s * 1000, RELAY_IDENTIFIER)
    return RateLimits(await proofs.period_ms(), RELAY_IDENTIFIER)
