"""What the tables of the kernel's database have in common."""

from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """The kernel's tables."""
