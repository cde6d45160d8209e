"""Tickets: how long an advertiser has waited, kept by itself and signed by the registrar.

Spec: docs/protocol/discovery.md, DIS-9 (bytes), DIS-10 (window). Source: LIP-107, "Ticket".
"""

from dataclasses import dataclass, replace
from typing import Final

from logos_crypto.protobuf import bytes_field, number_field
from logos_mixnet.core.capability.errors import (
    MessageMalformedError,
    TicketOtherError,
    TicketSignatureError,
    TicketWindowError,
)
from logos_mixnet.core.capability.fields import Fields
from logos_mixnet.core.capability.keys import PublicKey, Signer

_ADVERTISEMENT: Final = 1
_T_INIT: Final = 2
_T_MOD: Final = 3
_T_WAIT_FOR: Final = 4
_SIGNATURE: Final = 5

MAX_WAIT_S: Final = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Ticket:
    """A registrar's word for how long it has let an advertisement wait.

    Times are whole seconds by the registrar's clock; only the registrar looks at them.
    """

    advertisement: bytes
    t_init_s: int
    """When it was first asked for; 64 bits."""
    t_mod_s: int
    """When this one was issued; 64 bits."""
    t_wait_for_s: int
    """How long after that it may come back; 32 bits."""
    signature: bytes = b""

    def encode(self) -> bytes:
        """Returns its bytes. Times of 0 are written too: the reference demands each field."""
        return (
            bytes_field(_ADVERTISEMENT, self.advertisement)
            + number_field(_T_INIT, self.t_init_s)
            + number_field(_T_MOD, self.t_mod_s)
            + number_field(_T_WAIT_FOR, self.t_wait_for_s)
            + bytes_field(_SIGNATURE, self.signature)
        )

    def signed_by(self, signer: Signer) -> "Ticket":
        """Returns it with the registrar's signature."""
        return replace(self, signature=signer.sign(_signed_bytes(self)))

    def check(
        self, registrar: PublicKey, advertisement: bytes, now_s: int, *, window_s: int
    ) -> None:
        """Checks a ticket that came back.

        Raises:
            TicketOtherError: It is for another advertisement.
            TicketWindowError: It is too early, or over `window_s` late.
            TicketSignatureError: The registrar has not signed it.
        """
        if self.advertisement != advertisement:
            raise TicketOtherError("the ticket is for another advertisement")
        late_s = now_s - self.t_mod_s - self.t_wait_for_s
        if not 0 <= late_s <= window_s:
            raise TicketWindowError(
                f"the ticket comes {-late_s} s too early"
                if late_s < 0
                else f"the ticket comes {late_s} s late, over {window_s}"
            )
        if not registrar.has_signed(_signed_bytes(self), self.signature):
            raise TicketSignatureError("the ticket was not signed by this registrar")


def decode_ticket(raw: bytes) -> Ticket:
    """Reads a ticket; raises `MessageMalformedError`."""
    fields = Fields(raw)
    wait_s = fields.number(_T_WAIT_FOR)
    if wait_s > MAX_WAIT_S:
        raise MessageMalformedError(f"a waiting time of {wait_s} s, over 32 bits")
    return Ticket(
        fields.raw(_ADVERTISEMENT),
        fields.number(_T_INIT),
        fields.number(_T_MOD),
        wait_s,
        fields.raw(_SIGNATURE),
    )


def _signed_bytes(ticket: Ticket) -> bytes:
    return (
        ticket.advertisement
        + ticket.t_init_s.to_bytes(8, "big")
        + ticket.t_mod_s.to_bytes(8, "big")
        + ticket.t_wait_for_s.to_bytes(4, "big")
    )
