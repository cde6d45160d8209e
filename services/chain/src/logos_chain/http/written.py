"""Blocks, transactions, operations and proofs in the reference's JSON (HTP-6).

Source: logos-blockchain/logos-blockchain at 5bf1a42, nodes/node/binary/openapi.json.
"""

from typing import Any

from logos_mantle.blocks import Block
from logos_mantle.channels import (
    ChannelConfig,
    ChannelDeposit,
    ChannelInscribe,
    ChannelTransfer,
    ChannelWithdraw,
)
from logos_mantle.headers import Header, SignedHeader
from logos_mantle.locator_text import locator_text
from logos_mantle.notes import Note
from logos_mantle.operations import Operation
from logos_mantle.proofs import (
    ClaimProof,
    DeclarationProof,
    InscriptionProof,
    OperationProof,
    ThresholdProof,
    ZkSignatureProof,
)
from logos_mantle.services import Activity, SdpActive, SdpDeclare, SdpWithdraw
from logos_mantle.transactions import SignedTransaction, Transaction
from logos_mantle.transfers import LeaderClaim, Transfer

BLEND_NETWORK = "BN"
"""The one service."""


def of_block(block: Block) -> dict[str, Any]:
    return {
        "header": of_header(block.header),
        "uncle_headers": [of_uncle(each) for each in block.uncles],
        "transactions": [of_signed(each) for each in block.transactions],
    }


def of_header(header: Header) -> dict[str, Any]:
    proof = header.leadership
    return {
        "id": header.id.hex(),
        "parent_block": header.parent.hex(),
        "slot": header.slot,
        "body_root": header.body_root.hex(),
        "block_root": header.body_root.hex(),  # its name until April 2026
        "proof_of_leadership": {
            "proof": proof.proof.hex(),
            "entropy_contribution": proof.entropy.hex(),
            "leader_key": proof.leader_key.hex(),
            "voucher_cm": proof.voucher.hex(),
        },
    }


def of_uncle(uncle: SignedHeader) -> dict[str, Any]:
    return {"header": of_header(uncle.header), "signature": uncle.signature.hex()}


def of_signed(signed: SignedTransaction) -> dict[str, Any]:
    return {
        "mantle_tx": {"hash": signed.hash.hex(), **of_transaction(signed.transaction)},
        "ops_proofs": [of_proof(each) for each in signed.proofs],
    }


def of_transaction(transaction: Transaction) -> dict[str, Any]:
    """Returns an unsigned transaction, without its hash."""
    return {"ops": [of_operation(each) for each in transaction.operations]}


def of_operation(operation: Operation) -> dict[str, Any]:
    return {"opcode": int(operation.opcode), "payload": _payload(operation)}


def of_groth16(proof: bytes) -> dict[str, str]:
    """Returns the three points of a proof of 128 bytes."""
    return {"pi_a": proof[:32].hex(), "pi_b": proof[32:96].hex(), "pi_c": proof[96:].hex()}


def of_proof(proof: OperationProof) -> dict[str, Any]:
    match proof:
        case InscriptionProof():
            return {"Ed25519Sig": proof.signature.hex()}
        case ZkSignatureProof():
            return {"ZkSig": of_groth16(proof.signature)}
        case DeclarationProof():
            both = {
                "zk_sig": of_groth16(proof.zk_signature),
                "ed25519_sig": proof.provider_signature.hex(),
            }
            return {"ZkAndEd25519Sigs": both}
        case ClaimProof():
            return {"PoC": {"proof": proof.proof.hex()}}
        case ThresholdProof():
            return {"ChannelMultiSigProof": {"signatures": _signatures(proof)}}


def _signatures(proof: ThresholdProof) -> list[dict[str, Any]]:
    return [
        {"signature": each.signature.hex(), "channel_key_index": each.index}
        for each in proof.signatures
    ]


def _payload(operation: Operation) -> dict[str, Any]:
    match operation:
        case Transfer():
            return {"inputs": _ids(operation.inputs), "outputs": _notes(operation.outputs)}
        case LeaderClaim():
            return {
                "rewards_root": operation.rewards_root.hex(),
                "voucher_nullifier": operation.voucher_nullifier.hex(),
                "pk": operation.public_key.hex(),
            }
        case SdpDeclare() | SdpWithdraw() | SdpActive():
            return _service_payload(operation)
        case _:
            return _channel_payload(operation)


def _channel_payload(
    operation: ChannelConfig | ChannelInscribe | ChannelDeposit | ChannelWithdraw | ChannelTransfer,
) -> dict[str, Any]:
    match operation:
        case ChannelConfig():
            return {
                "channel": operation.channel.hex(),
                "keys": _ids(operation.keys),
                "posting_timeframe": operation.posting_timeframe_slots,
                "posting_timeout": operation.posting_timeout_slots,
                "configuration_threshold": operation.configuration_threshold,
                "transfer_threshold": operation.transfer_threshold,
            }
        case ChannelInscribe():
            return {
                "channel_id": operation.channel.hex(),
                "inscription": operation.inscription.hex(),
                "parent": operation.parent.hex(),
                "signer": operation.signer.hex(),
            }
        case ChannelDeposit():
            return {
                "channel_id": operation.channel.hex(),
                "inputs": _ids(operation.inputs),
                "metadata": list(operation.metadata),
            }
        case ChannelWithdraw():
            return {"channel_id": operation.channel.hex(), "inputs": _ids(operation.inputs)}
        case ChannelTransfer():
            return {
                "channel_id": operation.channel.hex(),
                "inputs": _ids(operation.inputs),
                "outputs": _notes(operation.outputs),
            }


def _service_payload(operation: SdpDeclare | SdpWithdraw | SdpActive) -> dict[str, Any]:
    match operation:
        case SdpDeclare():
            return {
                "service_type": BLEND_NETWORK,
                "locators": [locator_text(each) for each in operation.locators],
                "provider_id": operation.provider_id.hex(),
                "zk_id": operation.zk_id.hex(),
                "service_note_id": operation.locked_note_id.hex(),
            }
        case SdpWithdraw():
            return {
                "declaration_id": operation.declaration_id.hex(),
                "nonce": operation.nonce,
                "service_note_id": operation.locked_note_id.hex(),
            }
        case SdpActive():
            return {
                "declaration_id": operation.declaration_id.hex(),
                "nonce": operation.nonce,
                "metadata": {"Blend": _activity(operation.metadata)},
            }


def _activity(activity: Activity) -> dict[str, Any]:
    proof = activity.quota_proof
    points = {"pi_a": list(proof[:32]), "pi_b": list(proof[32:96]), "pi_c": list(proof[96:])}
    return {
        "epoch": activity.epoch,
        "signing_key": activity.signing_key.hex(),
        "proof_of_quota": {"key_nullifier": activity.key_nullifier.hex(), "proof": points},
        "proof_of_selection": {"selection_randomness": activity.selection_randomness.hex()},
    }


def _ids(raw: tuple[bytes, ...]) -> list[str]:
    return [each.hex() for each in raw]


def _notes(notes: tuple[Note, ...]) -> list[dict[str, Any]]:
    return [{"value": each.value, "pk": each.public_key.hex()} for each in notes]
