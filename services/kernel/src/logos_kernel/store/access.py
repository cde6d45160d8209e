"""Decisions on access and the audit log, in the kernel's database (KER-17, KER-18)."""

from collections.abc import Sequence
from typing import Final, Self

from sqlalchemy import BigInteger, LargeBinary, String, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from logos_base.audit import HASH_BYTES, AuditRecord, append
from logos_base.capabilities import Role
from logos_kernel.core.access import Access, Operator, Withdrawal
from logos_kernel.core.policy import Grant
from logos_kernel.store.tables import Base

_THE_ONE: Final = 1


class GrantRow(Base):
    """An operator's decision on the calls of one module to another."""

    __tablename__ = "access_grant"

    caller: Mapped[str] = mapped_column(String(64), primary_key=True)
    target: Mapped[str] = mapped_column(String(64), primary_key=True)
    is_refusal: Mapped[bool] = mapped_column(primary_key=True)
    methods: Mapped[str]
    """Patterns, separated by spaces."""
    by: Mapped[str] = mapped_column(String(64))

    @classmethod
    def of(cls, grant: Grant) -> Self:
        return cls(
            caller=grant.caller,
            target=grant.target,
            is_refusal=grant.is_refusal,
            methods=" ".join(grant.methods),
            by=grant.by,
        )

    def value(self) -> Grant:
        methods = tuple(self.methods.split(" "))
        return Grant(self.caller, self.target, methods, is_refusal=self.is_refusal, by=self.by)


class OperatorRow(Base):
    """A token that was given to an operator."""

    __tablename__ = "operator"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    role: Mapped[str] = mapped_column(String(16))
    digest: Mapped[bytes] = mapped_column(LargeBinary(HASH_BYTES))
    issued_at_s: Mapped[int] = mapped_column(BigInteger)
    expires_at_s: Mapped[int] = mapped_column(BigInteger)

    @classmethod
    def of(cls, one: Operator) -> Self:
        return cls(
            name=one.name,
            role=one.role.value,
            digest=one.digest,
            issued_at_s=one.issued_at_s,
            expires_at_s=one.expires_at_s,
        )

    def value(self) -> Operator:
        role = Role(self.role)
        return Operator(self.name, role, self.digest, self.issued_at_s, self.expires_at_s)


class WithdrawalRow(Base):
    """Tokens that an operator has withdrawn."""

    __tablename__ = "withdrawal"

    caller: Mapped[str] = mapped_column(String(64), primary_key=True)
    target: Mapped[str] = mapped_column(String(64), primary_key=True)
    issued_until_s: Mapped[int] = mapped_column(BigInteger)

    @classmethod
    def of(cls, one: Withdrawal) -> Self:
        return cls(caller=one.caller, target=one.target, issued_until_s=one.issued_until_s)

    def value(self) -> Withdrawal:
        return Withdrawal(self.caller, self.target, self.issued_until_s)


class SigningRow(Base):
    """The signing key: one row."""

    __tablename__ = "signing"

    id: Mapped[int] = mapped_column(primary_key=True)
    generation: Mapped[int]


class AuditRow(Base):
    """One record of the audit log."""

    __tablename__ = "audit"

    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at_ms: Mapped[int] = mapped_column(BigInteger)
    actor: Mapped[str] = mapped_column(String(80))
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str]
    outcome: Mapped[str] = mapped_column(String(64))
    detail: Mapped[str]
    hash: Mapped[bytes] = mapped_column(LargeBinary(HASH_BYTES))

    @classmethod
    def of(cls, one: AuditRecord) -> Self:
        return cls(
            sequence=one.sequence,
            at_ms=one.at_ms,
            actor=one.actor,
            action=one.action,
            subject=one.subject,
            outcome=one.outcome,
            detail=one.detail,
            hash=one.hash,
        )

    def value(self) -> AuditRecord:
        return AuditRecord(
            sequence=self.sequence,
            at_ms=self.at_ms,
            actor=self.actor,
            action=self.action,
            subject=self.subject,
            outcome=self.outcome,
            detail=self.detail,
            hash=self.hash,
        )


async def load(session: AsyncSession) -> Access:
    """Returns the decisions; `ValueError` if they cannot be read."""
    grants = await session.scalars(select(GrantRow).order_by(GrantRow.caller, GrantRow.target))
    operators = await session.scalars(select(OperatorRow).order_by(OperatorRow.name))
    withdrawals = await session.scalars(select(WithdrawalRow))
    signing = await session.get(SigningRow, _THE_ONE)
    return Access(
        grants=tuple(row.value() for row in grants),
        operators=tuple(row.value() for row in operators),
        withdrawals=tuple(row.value() for row in withdrawals),
        generation=0 if signing is None else signing.generation,
    )


async def replace(session: AsyncSession, access: Access) -> None:
    """Stores decisions in place of all that were there: they are few."""
    for table in (GrantRow, OperatorRow, WithdrawalRow):
        await session.execute(delete(table))
    session.add_all(
        [
            *(GrantRow.of(one) for one in access.grants),
            *(OperatorRow.of(one) for one in access.operators),
            *(WithdrawalRow.of(one) for one in access.withdrawals),
        ]
    )
    await session.merge(SigningRow(id=_THE_ONE, generation=access.generation))


async def audit(session: AsyncSession, records: Sequence[AuditRecord]) -> None:
    """Appends records, each with its place and hash in the chain."""
    newest = await session.scalars(select(AuditRow).order_by(AuditRow.sequence.desc()).limit(1))
    row = newest.first()
    before = None if row is None else row.value()
    for record in records:
        before = append(before, record)
        session.add(AuditRow.of(before))


async def read_audit(session: AsyncSession, start: int, limit: int) -> list[AuditRecord]:
    """Returns up to `limit` records from a sequence on."""
    rows = await session.scalars(
        select(AuditRow).where(AuditRow.sequence >= start).order_by(AuditRow.sequence).limit(limit)
    )
    return [row.value() for row in rows]
