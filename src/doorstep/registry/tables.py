"""What is remembered, as tables. Times are microseconds since 1970 UTC. `migrations` makes them; a test holds the two
equal.
"""

from __future__ import annotations

from typing import Annotated

from sqlalchemy import BigInteger, ForeignKey, ForeignKeyConstraint, Index, MetaData, String, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Slug = Annotated[str, mapped_column(String(100))]
Digest = Annotated[str, mapped_column(String(64))]
Words = Annotated[str, mapped_column(Text)]
Microseconds = Annotated[int, mapped_column(BigInteger)]
Opaque = Annotated[int, mapped_column(BigInteger)]


class Tables(DeclarativeBase):
    """The tables and the names of their constraints."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        }
    )


class DefinitionRow(Tables):
    """A name that something was published under; its row is what writers of that name lock."""

    __tablename__ = "definitions"

    name: Mapped[Slug] = mapped_column(primary_key=True)
    created_at: Mapped[Microseconds]


class VersionRow(Tables):
    """One published version; never changed, never deleted."""

    __tablename__ = "versions"

    name: Mapped[Slug] = mapped_column(ForeignKey("definitions.name"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(8), server_default="funnel")
    definition_hash: Mapped[Digest] = mapped_column(index=True)
    text_hash: Mapped[Digest]
    semantics: Mapped[int]
    moves_counts: Mapped[bool]
    canonical: Mapped[Words]
    text: Mapped[Words]
    form: Mapped[str] = mapped_column(String(4))
    message: Mapped[Words | None]
    published_by: Mapped[Words]
    published_at: Mapped[Microseconds]
    reverts: Mapped[int | None]


class FreezeRow(Tables):
    """A version held fast, and when and why it was let go; at most one of a name is not released."""

    __tablename__ = "freezes"
    __table_args__ = (
        ForeignKeyConstraint(["name", "version"], ["versions.name", "versions.number"]),
        Index(
            "uq_freezes_unreleased",
            "name",
            unique=True,
            sqlite_where=text("released_at IS NULL"),
            postgresql_where=text("released_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[Slug]
    version: Mapped[int]
    frozen_by: Mapped[Words]
    frozen_why: Mapped[Words]
    frozen_at: Mapped[Microseconds]
    released_by: Mapped[Words | None]
    released_why: Mapped[Words | None]
    released_at: Mapped[Microseconds | None]


class RunRow(Tables):
    """A run, with all that is needed to do it again and the figures it gave."""

    __tablename__ = "frozen_runs"
    __table_args__ = (ForeignKeyConstraint(["name", "version"], ["versions.name", "versions.number"]),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[Slug] = mapped_column(index=True)
    version: Mapped[int]
    definition_hash: Mapped[Digest]
    semantics: Mapped[int]
    snapshot: Mapped[Opaque]
    map_version: Mapped[Opaque]
    since: Mapped[Microseconds | None]
    until: Mapped[Microseconds | None]
    as_of: Mapped[Microseconds]
    timezone: Mapped[Words]
    first_time: Mapped[bool]
    breakdown: Mapped[Words | None]
    figures: Mapped[Words]
    frozen_by: Mapped[Words]
    frozen_at: Mapped[Microseconds]


class KeyRow(Tables):
    """A write key: of the key itself only the SHA-256 is kept, in hex. Names are used again once revoked."""

    __tablename__ = "write_keys"
    __table_args__ = (
        Index(
            "uq_write_keys_live",
            "name",
            unique=True,
            sqlite_where=text("revoked_at IS NULL"),
            postgresql_where=text("revoked_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[Words]
    digest: Mapped[Digest] = mapped_column(unique=True)
    created_at: Mapped[Microseconds]
    last_used_at: Mapped[Microseconds | None]
    revoked_at: Mapped[Microseconds | None]


class SegmentRow(Tables):
    """One version of a saved list of units: how many, of what, and where they came from."""

    __tablename__ = "segments"

    name: Mapped[Slug] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    unit: Mapped[Words]
    units: Mapped[Opaque]
    definition: Mapped[Words]
    definition_hash: Mapped[Digest]
    source: Mapped[Words]
    snapshot: Mapped[Opaque | None]
    chosen: Mapped[Words]
    saved_by: Mapped[Words]
    saved_at: Mapped[Microseconds]


class SegmentUnitRow(Tables):
    """One unit of one version."""

    __tablename__ = "segment_units"
    __table_args__ = (ForeignKeyConstraint(["name", "number"], ["segments.name", "segments.number"]),)

    name: Mapped[Slug] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    unit: Mapped[Words] = mapped_column(primary_key=True)


__all__ = [
    "DefinitionRow",
    "FreezeRow",
    "KeyRow",
    "RunRow",
    "SegmentRow",
    "SegmentUnitRow",
    "Tables",
    "VersionRow",
]
