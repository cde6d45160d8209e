"""`GetInfoResponse` of where a node stands."""

from typing import Final

from logos.chain.v1 import chain_pb2 as pb
from logos_chain.core.consensus.epochs import EpochState
from logos_chain.core.consensus.parameters import Parameters
from logos_chain.core.consensus.starting import Phase
from logos_chain.operations.information import Leadership, NodeStanding
from logos_chain.rpc import convert

_PHASES: Final = {
    Phase.STOPPED: pb.PHASE_DOWNLOADING,
    Phase.DOWNLOADING: pb.PHASE_DOWNLOADING,
    Phase.PROLONGED: pb.PHASE_PROLONGED,
    Phase.LISTENING: pb.PHASE_ONLINE,
}


def from_standing(found: NodeStanding) -> pb.GetInfoResponse:
    spec, parameters = found.spec, found.spec.consensus
    message = pb.GetInfoResponse(
        chain_id=spec.chain_id,
        genesis_id=spec.genesis_id,
        spec_hash=spec.hash,
        is_insecure=spec.is_insecure,
        preset=parameters.name,
        genesis_time=convert.at(spec.genesis_ms),
        slot_ms=parameters.slot_ms,
        slots_per_block=round(1 / parameters.activation),
        finality_blocks=parameters.security_blocks,
        phase=_PHASES[found.phase],
        slot=found.slot,
        tip=convert.from_tree(found.tip),
        final=convert.from_tree(found.final),
        epoch=_epoch(found.epoch, parameters),
        circuits=[
            pb.GetInfoResponse.Circuit(name=name, key_hash=hash_)
            for name, hash_ in sorted(spec.keys.hashes.items())
        ],
        leading=_leading(found.leadership),
        mempool_transactions=found.mempool_transactions,
        mempool_bytes=found.mempool_bytes,
        downloaded_blocks=found.downloaded_blocks,
        download_target_slot=found.download_target_slot,
        diverged_peers=found.diverged_peers,
    )
    if found.imported is not None:
        message.checkpoint_height = found.imported.height
        message.checkpoint_hash = found.imported.hash
    if found.online_at_ms is not None:
        message.online_at.CopyFrom(convert.at(found.online_at_ms))
    return message


def _epoch(epoch: EpochState, parameters: Parameters) -> pb.GetInfoResponse.Epoch:
    return pb.GetInfoResponse.Epoch(
        number=epoch.epoch,
        first_slot=parameters.epoch_begins(epoch.epoch),
        end_slot=parameters.epoch_begins(epoch.epoch + 1),
        nonce=epoch.nonce,
        aged_root=epoch.aged_root,
        total_stake=epoch.total_stake,
    )


def _leading(found: Leadership) -> pb.GetInfoResponse.Leading:
    counts, last, missed = found.counts, found.last_proposed, found.last_missed
    return pb.GetInfoResponse.Leading(
        standing=str(found.standing),
        is_leading=found.standing.idle is None,
        is_switched_off=found.is_switched_off,
        won=counts.won,
        proposed=counts.proposed,
        on_tip=counts.on_tip,
        missed=counts.missed,
        too_late=counts.too_late,
        last_slot=0 if last is None else last.slot,
        last_miss="" if missed is None else missed.miss,
    )
