"""How many messages this node may begin to send in an epoch (DSN-3)."""


class RateBudget:
    """The budget of the current epoch. Epochs count Unix time: `floor(time / period)`.

    The node limits itself by it, in memory only. What other nodes enforce is the limit of its
    membership, which the mixnet keeps on disk (RLN-18).
    """

    def __init__(self, period_ms: int, limit: int | None = None) -> None:
        """Takes the length of an epoch, and messages in one; None: no limit of its own.

        Raises ValueError unless both are positive.
        """
        if period_ms < 1 or (limit is not None and limit < 1):
            raise ValueError(f"not a period and a limit: {period_ms} ms, {limit}")
        self._period_ms = period_ms
        self._limit = limit
        self._member_limit: int | None = None
        self._epoch = 0
        self._spent = 0
        self._is_exhausted = False

    @property
    def limit(self) -> int | None:
        """Messages in an epoch: the lower of both limits."""
        limits = [each for each in (self._limit, self._member_limit) if each is not None]
        return min(limits, default=None)

    def tighten(self, member_limit: int | None) -> None:
        """Takes the limit of this node's membership, positive; None: it is no member now."""
        if member_limit is not None and member_limit < 1:
            raise ValueError(f"not a limit: {member_limit}")
        self._member_limit = member_limit

    def admit(self, now_ms: int) -> bool:
        """Charges one message; returns False, and charges nothing, if the budget is spent."""
        self._roll(now_ms)
        if self._is_exhausted or (self.limit is not None and self._spent >= self.limit):
            return False
        self._spent += 1
        return True

    def exhaust(self, now_ms: int) -> None:
        """Ends this epoch's budget: the maker of proofs says that its message ids are spent."""
        self._roll(now_ms)
        self._is_exhausted = True

    def refill_ms(self, now_ms: int) -> int:
        """Returns when the next epoch begins."""
        return (now_ms // self._period_ms + 1) * self._period_ms

    def _roll(self, now_ms: int) -> None:
        epoch = now_ms // self._period_ms
        if epoch != self._epoch:
            self._epoch, self._spent, self._is_exhausted = epoch, 0, False
