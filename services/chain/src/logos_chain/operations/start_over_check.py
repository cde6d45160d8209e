"""What must be there before a node may give its chain up: nothing of it comes back.

Spec: docs/protocol/chain-consensus.md, CON-50.
"""

from collections.abc import Awaitable, Callable, Sequence

from logos_base.errors import ErrorKind, LogosError
from logos_chain.core.checkpoints.errors import CheckpointRefusedError


class StartOverAloneError(LogosError):
    """No peer is connected from which the chain could be downloaded (CON-50)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "START_OVER_ALONE"


class StartOverCheckpointError(LogosError):
    """The next start could not begin with the checkpoint that the settings name (CON-50)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "START_OVER_CHECKPOINT"


async def check_start_over(
    connected: Callable[[], Awaitable[Sequence[str]]],
    check_checkpoint: Callable[[], Awaitable[None]] | None,
) -> None:
    """Checks that the chain can be had again.

    Args:
        connected: Returns peers that speak the protocol.
        check_checkpoint: `Importing.check`; None: the settings name no checkpoint.

    Raises:
        StartOverAloneError, StartOverCheckpointError
        NetworkUnavailableError: The peers are not known.
    """
    if not await connected():
        raise StartOverAloneError("no peer is connected that has the chain")
    if check_checkpoint is not None:
        try:
            await check_checkpoint()
        except CheckpointRefusedError as error:
            raise StartOverCheckpointError(str(error)) from error
