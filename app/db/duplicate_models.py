"""The tables of duplicates, decisions about them and the trash, as SQLAlchemy models; `app.db.models` has all."""

from datetime import datetime
from typing import Any

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.db.model_base import SCHEMA, Base

_SCAN = f"{SCHEMA}.duplicate_scans.collection_id"
_COLLECTION = f"{SCHEMA}.collections.id"


class DuplicateScan(Base):
    """A collection whose pairs of near duplicates are stored."""

    __tablename__ = "duplicate_scans"
    __table_args__ = (
        CheckConstraint("radius >= 0", name="radius"),
        {
            "comment": "Collections whose pairs of near duplicates are stored: within which radius, "
            "and how far the scan is."
        },
    )

    collection_id: Mapped[int] = mapped_column(
        ForeignKey(_COLLECTION, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    radius: Mapped[float] = mapped_column(Double)
    generation: Mapped[int] = mapped_column(
        comment="The generation of the vectors that were compared; "
        "the pairs are out of date where the collection has another."
    )
    compared_to: Mapped[str | None] = mapped_column(
        Text(collation="C"), comment="The pairs of records up to this id are stored; null before the first."
    )
    begun_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    completed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    hashes: Mapped[bool] = mapped_column(
        server_default=text("false"), comment="Whether pairs by perceptual hash are stored, too."
    )


class DuplicatePair(Base):
    """Two records within the radius of the scan."""

    __tablename__ = "duplicate_pairs"
    __table_args__ = (
        CheckConstraint("one < other", name="order"),
        Index("duplicate_pairs_other_idx", "collection_id", "other"),
        Index("duplicate_pairs_distance_idx", "collection_id", "distance"),
        {"comment": "Pairs of near duplicates, without those of duplicate_copies; the view duplicates has all."},
    )

    collection_id: Mapped[int] = mapped_column(
        ForeignKey(_SCAN, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    one: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    other: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    distance: Mapped[float] = mapped_column(Double)
    hash_distance: Mapped[float | None] = mapped_column(
        Double,
        comment="The distance of the perceptual hashes, on the same scale; null where one of the two has none.",
    )


class DuplicateHash(Base):
    """The perceptual hash of a record's thumbnail."""

    __tablename__ = "duplicate_hashes"
    __table_args__ = (
        CheckConstraint("octet_length(hash) = 32", name="hash"),
        {
            "comment": "Perceptual hashes of thumbnails, made when duplicates are looked for; "
            "null where a picture is plain."
        },
    )

    collection_id: Mapped[int] = mapped_column(
        ForeignKey(_COLLECTION, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    id: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    hash: Mapped[bytes | None]
    of: Mapped[bytes] = mapped_column(comment="The MD5 of the thumbnail that the hash is of.")


class DuplicateJudgement(Base):
    """Whether two records show the same picture, as somebody says."""

    __tablename__ = "duplicate_judgements"
    __table_args__ = (
        CheckConstraint("one < other", name="order"),
        {"comment": "Whether two records show the same picture, as people say; a radius is chosen by it."},
    )

    collection_id: Mapped[int] = mapped_column(
        ForeignKey(_COLLECTION, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    one: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    other: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    distance: Mapped[float] = mapped_column(
        Double,
        comment="The distance at which the pair was judged: the judgement counts as long as the pair lies there.",
    )
    same: Mapped[bool]
    judged_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    judged_by: Mapped[str] = mapped_column(Text)


class DuplicateCopy(Base):
    """A record with the vector of another one."""

    __tablename__ = "duplicate_copies"
    __table_args__ = (
        Index("duplicate_copies_first_idx", "collection_id", "first"),
        {
            "comment": "Records with the vector of another one, the first, whose pairs are theirs, too: "
            "thousands may share one."
        },
    )

    collection_id: Mapped[int] = mapped_column(
        ForeignKey(_SCAN, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    id: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    first: Mapped[str] = mapped_column(Text(collation="C"))


class DuplicateChange(Base):
    """A record that was written since its pairs were made."""

    __tablename__ = "duplicate_changes"
    __table_args__ = ({"comment": "Records that were written since their pairs were made; a trigger notes them."},)

    collection_id: Mapped[int] = mapped_column(
        ForeignKey(_SCAN, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    id: Mapped[str] = mapped_column(Text(collation="C"))
    sequence: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)


class DuplicateDecision(Base):
    """What somebody decided about a group of near duplicates."""

    __tablename__ = "duplicate_decisions"
    __table_args__ = (
        CheckConstraint("kind IN ('resolved', 'dismissed')", name="kind"),
        CheckConstraint("cardinality(members) > 1", name="members"),
        Index("duplicate_decisions_made_idx", "collection_id", "id"),
        Index(
            "duplicate_decisions_members_idx",
            "members",
            postgresql_using="gin",
            postgresql_where=text("kind = 'dismissed' AND undone_at IS NULL"),
        ),
        {"comment": "What people decided about near duplicates: who, when, and whether it was undone."},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    collection_id: Mapped[int] = mapped_column(ForeignKey(_COLLECTION, ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(Text)
    members: Mapped[list[str]] = mapped_column(ARRAY(Text(collation="C")))
    removed: Mapped[list[str]] = mapped_column(ARRAY(Text(collation="C")), server_default=text("'{}'::text[]"))
    reason: Mapped[str | None] = mapped_column(Text)
    merged: Mapped[Any | None] = mapped_column(
        JSONB,
        comment="The attributes that a merge changed in the record that was kept: its id, and their values before and "
        "after.",
    )
    made_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    made_by: Mapped[str] = mapped_column(Text)
    undone_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    undone_by: Mapped[str | None] = mapped_column(Text)
    restored: Mapped[list[str]] = mapped_column(
        ARRAY(Text(collation="C")),
        server_default=text("'{}'::text[]"),
        comment="Those of the removed that came back from the trash.",
    )
    pictures: Mapped[list[str]] = mapped_column(
        ARRAY(Text),
        server_default=text("'{}'::text[]"),
        comment="What the pictures of dismissed members were known by, in the order of the members; "
        "empty: that is not known.",
    )


class Trashed(Base):
    """A record that was removed and can be brought back."""

    __tablename__ = "trash"
    __table_args__ = (
        Index("trash_record_idx", "collection_id", "id", "number"),
        Index("trash_decision_idx", "decision_id", postgresql_where=text("decision_id IS NOT NULL")),
        Index("trash_purge_idx", "purge_at"),
        {"comment": "Records that were removed and can be brought back whole until purge_at."},
    )

    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    collection_id: Mapped[int] = mapped_column(ForeignKey(_COLLECTION, ondelete="CASCADE"))
    id: Mapped[str] = mapped_column(Text(collation="C"))
    decision_id: Mapped[int | None] = mapped_column(ForeignKey(f"{SCHEMA}.duplicate_decisions.id", ondelete="SET NULL"))
    removed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    removed_by: Mapped[str] = mapped_column(Text)
    purge_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    generation: Mapped[int] = mapped_column(comment="The generation of the vector: of another, it cannot come back.")
    attributes: Mapped[dict[str, Any]] = mapped_column(JSONB)
    embedding: Mapped[Any] = mapped_column(HALFVEC)
    digest: Mapped[bytes | None]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    thumbnail: Mapped[bytes | None] = mapped_column(LargeBinary)
    picture: Mapped[bytes | None] = mapped_column(LargeBinary)
    box: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))
