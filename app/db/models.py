"""The tables of schema `lookalike` as SQLAlchemy models.

They are public: import them for simple reads and for joins with tables of your own. The server itself runs the named
queries of `sql/queries/` through psycopg; Alembic compares these models with the database.
"""

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

from app.db.access_models import AuditEntry, Token, TokenCollection
from app.db.duplicate_models import (
    DuplicateChange,
    DuplicateCopy,
    DuplicateDecision,
    DuplicatePair,
    DuplicateScan,
    Trashed,
)
from app.db.job_models import Job, JobReject, JobWorker
from app.db.map_models import Map, MapCluster, MapPart, MapPoint
from app.db.model_base import SCHEMA, Base
from app.domain.services import SERVICES

__all__ = [
    "SCHEMA",
    "Alias",
    "AppliedSql",
    "AuditEntry",
    "Base",
    "Collection",
    "DuplicateChange",
    "DuplicateCopy",
    "DuplicateDecision",
    "DuplicatePair",
    "DuplicateScan",
    "Job",
    "JobReject",
    "JobWorker",
    "Map",
    "MapCluster",
    "MapPart",
    "MapPoint",
    "Original",
    "PartialIndex",
    "Record",
    "Reembedding",
    "ReembeddingChange",
    "ReembeddingFailure",
    "SchemaFacts",
    "SearchCosts",
    "SearchLogEntry",
    "Thumbnail",
    "Token",
    "TokenCollection",
    "Trashed",
]


class Collection(Base):
    """One collection; its records are the partition `records_<id>`."""

    __tablename__ = "collections"
    __table_args__ = (
        CheckConstraint(r"name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$'", name="name"),
        CheckConstraint(
            f"service IN ({', '.join(map(repr, SERVICES))})",
            name="service",
        ),
        CheckConstraint("dimensions BETWEEN 1 AND 4000", name="dimensions"),
        CheckConstraint("distance_scale > 0", name="distance_scale"),
        CheckConstraint("capacity > 0", name="capacity"),
        CheckConstraint("jsonb_typeof(settings) = 'object'", name="settings"),
        CheckConstraint("generation > 0", name="generation"),
        {"comment": "One row a collection: its service, model and vector space."},
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(Text(collation="C"), unique=True)
    service: Mapped[str] = mapped_column(Text)
    model: Mapped[str] = mapped_column(Text)
    model_revision: Mapped[str] = mapped_column(Text)
    dimensions: Mapped[int]
    distance_scale: Mapped[float] = mapped_column(Double)
    capacity: Mapped[int | None] = mapped_column(BigInteger)
    settings: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    generation: Mapped[int] = mapped_column(
        server_default=text("1"), comment="How often all vectors were made; part of a table's name."
    )
    expires: Mapped[bool] = mapped_column(
        server_default=text("false"),
        comment="Whether a record with an _expires_at was ever stored: where none was, no query looks for it.",
    )


class Record(Base):
    """One record: its attributes and the embedding of its picture."""

    __tablename__ = "records"
    __table_args__ = (
        CheckConstraint("octet_length(id) BETWEEN 1 AND 1024", name="id"),
        CheckConstraint("jsonb_typeof(attributes) = 'object'", name="attributes"),
        CheckConstraint(
            "NOT attributes ?| ARRAY['_id', '_base64', '_box', '_reason']"
            """ AND NOT attributes @? '$.keyvalue() ? (@.key starts with "$")'""",
            name="keys",
        ),
        CheckConstraint("l2_norm(embedding) > 0", name="embedding"),
        Index(
            "records_attributes_idx",
            "attributes",
            postgresql_using="gin",
            postgresql_ops={"attributes": "jsonb_path_ops"},
        ),
        {
            "postgresql_partition_by": "LIST (collection_id)",
            "comment": "One row a record: attributes and embedding; a partition a collection.",
        },
    )

    collection_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    attributes: Mapped[dict[str, Any]] = mapped_column(JSONB)
    embedding: Mapped[Any] = mapped_column(HALFVEC)
    digest: Mapped[bytes | None] = mapped_column(
        comment="SHA-256 of the encoded picture that the embedding was made of, null where that is not known."
    )
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    expires_at: Mapped[datetime | None] = mapped_column(
        DateTime(timezone=True),
        comment="The moment of the attribute _expires_at, by a trigger: from then on the record counts as deleted.",
    )
    crowd: Mapped[int | None] = mapped_column(BigInteger, comment="The digest of its crowd, beside the index.")


class Thumbnail(Base):
    """A small WebP picture of a record."""

    __tablename__ = "thumbnails"
    __table_args__ = (
        {
            "postgresql_partition_by": "LIST (collection_id)",
            "comment": "A small WebP picture of a record; a partition a collection.",
        },
    )

    collection_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    webp: Mapped[bytes] = mapped_column(LargeBinary)


class Original(Base):
    """A picture as it came, where the collection keeps it, and the part of it that is the record's."""

    __tablename__ = "originals"
    __table_args__ = (
        CheckConstraint("picture IS NOT NULL OR box IS NOT NULL", name="content"),
        CheckConstraint("cardinality(box) = 4", name="box"),
        {
            "postgresql_partition_by": "LIST (collection_id)",
            "comment": "A record's picture as it came, where it is kept, and the part in use.",
        },
    )

    collection_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    picture: Mapped[bytes | None] = mapped_column(LargeBinary)
    box: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))


class Reembedding(Base):
    """A collection whose vectors are being made anew, and by which model."""

    __tablename__ = "reembeddings"
    __table_args__ = (
        CheckConstraint("dimensions BETWEEN 1 AND 4000", name="dimensions"),
        CheckConstraint("distance_scale > 0", name="distance_scale"),
        {"comment": "Collections whose vectors are being made anew by another model."},
    )

    collection_id: Mapped[int] = mapped_column(
        ForeignKey(f"{SCHEMA}.collections.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    model: Mapped[str] = mapped_column(Text)
    model_revision: Mapped[str] = mapped_column(Text)
    dimensions: Mapped[int]
    distance_scale: Mapped[float] = mapped_column(Double)
    generation: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class ReembeddingChange(Base):
    """A record that was written while its collection's vectors are being made anew."""

    __tablename__ = "reembedding_changes"
    __table_args__ = ({"comment": "What was written to such a collection and is to be done yet."},)

    collection_id: Mapped[int] = mapped_column(
        ForeignKey(f"{SCHEMA}.reembeddings.collection_id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    id: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    new_picture: Mapped[bool]


class ReembeddingFailure(Base):
    """A record whose picture could not be read again."""

    __tablename__ = "reembedding_failures"
    __table_args__ = ({"comment": "Records whose picture could not be read again, and why."},)

    collection_id: Mapped[int] = mapped_column(
        ForeignKey(f"{SCHEMA}.reembeddings.collection_id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    id: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    reason: Mapped[str] = mapped_column(Text)


class SearchLogEntry(Base):
    """One search that the server answered, where LOOKALIKE_LOG_SEARCHES is on; lost in a crash, on purpose."""

    __tablename__ = "search_log"
    __table_args__ = (
        {
            "prefixes": ["UNLOGGED"],
            "comment": "The latest searches, where LOOKALIKE_LOG_SEARCHES is on; lost in a crash of the database.",
        },
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    token_id: Mapped[int | None]
    collection_id: Mapped[int]
    method: Mapped[str] = mapped_column(Text)
    query_id: Mapped[str | None] = mapped_column(Text)
    filter: Mapped[Any | None] = mapped_column(JSONB)
    k: Mapped[int | None]
    results: Mapped[int | None]
    milliseconds: Mapped[float] = mapped_column(Double)
    way: Mapped[str | None] = mapped_column(Text)


class Alias(Base):
    """A name that leads to a collection."""

    __tablename__ = "aliases"
    __table_args__ = (
        CheckConstraint(r"name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$'", name="name"),
        {"comment": "Names that lead to collections, each to one at a time."},
    )

    name: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    collection_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.collections.id"), index=True)
    set_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class SearchCosts(Base):
    """Costs of the steps of a search on this database, in microseconds."""

    __tablename__ = "search_costs"
    __table_args__ = (
        CheckConstraint("dimensions BETWEEN 1 AND 4000", name="dimensions"),
        CheckConstraint("distance_us > 0", name="distance_us"),
        CheckConstraint("match_us > 0", name="match_us"),
        CheckConstraint("candidate_us > 0", name="candidate_us"),
        {
            "comment": "Measured costs of a search, in microseconds: a distance, a match of a filter, "
            "a candidate of the index."
        },
    )

    dimensions: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    distance_us: Mapped[float] = mapped_column(Double)
    match_us: Mapped[float] = mapped_column(Double)
    candidate_us: Mapped[float] = mapped_column(Double)
    measured_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Crowd(Base):
    """A vector that so many records of a table have that most of these stand beside its HNSW index."""

    __tablename__ = "crowds"
    __table_args__ = ({"comment": "Vectors of which most records stand beside the HNSW index of their table."},)

    records_table: Mapped[str] = mapped_column(Text, primary_key=True)
    digest: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    collection_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.collections.id", ondelete="CASCADE"), index=True)
    embedding: Mapped[Any] = mapped_column(HALFVEC)


class PartialIndex(Base):
    """An HNSW index of the records that have one value in one attribute."""

    __tablename__ = "partial_indexes"
    __table_args__ = (
        {"comment": "HNSW indexes of the records that have one value in one attribute, which condition selects."},
    )

    index_name: Mapped[str] = mapped_column(Text, primary_key=True)
    collection_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.collections.id", ondelete="CASCADE"), index=True)
    records_table: Mapped[str] = mapped_column(Text)
    field: Mapped[str] = mapped_column(Text)
    value: Mapped[Any] = mapped_column(JSONB)
    condition: Mapped[str] = mapped_column(Text)


class IndexRecall(Base):
    """The recall of an HNSW index, as it was measured, and the efforts that searches take by it."""

    __tablename__ = "index_recall"
    __table_args__ = (
        CheckConstraint("target > 0 AND target <= 1", name="target"),
        CheckConstraint("effort BETWEEN 1 AND 1000", name="effort"),
        CheckConstraint("effort_deep BETWEEN 1 AND 1000", name="effort_deep"),
        CheckConstraint("effort_matches BETWEEN 1 AND 1000", name="effort_matches"),
        {"comment": "Measured recall of HNSW indexes by search effort, and the efforts that searches take by it."},
    )

    index_name: Mapped[str] = mapped_column(Text, primary_key=True)
    collection_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.collections.id", ondelete="CASCADE"), index=True)
    generation: Mapped[int]
    claimed_at: Mapped[datetime | None] = mapped_column(
        DateTime(timezone=True), comment="When a server began to measure; others leave it to that for ten minutes."
    )
    build: Mapped[int | None] = mapped_column(
        BigInteger, comment="The file of the index that was measured: what is built anew has another one."
    )
    target: Mapped[float | None] = mapped_column(Double)
    effort: Mapped[int | None]
    effort_deep: Mapped[int | None]
    effort_matches: Mapped[int | None]
    recall_10: Mapped[float | None] = mapped_column(Double)
    recall_100: Mapped[float | None] = mapped_column(Double)
    queries: Mapped[int | None]
    rows: Mapped[int | None] = mapped_column(BigInteger)
    writes: Mapped[int | None] = mapped_column(BigInteger)
    seconds: Mapped[float | None] = mapped_column(Double)
    curves: Mapped[Any | None] = mapped_column(JSONB)
    measured_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class AppliedSql(Base):
    """A file of `sql/` was applied, as the SHA-256 of its text says."""

    __tablename__ = "applied_sql"
    __table_args__ = ({"comment": "Which file of sql/ was applied, by the SHA-256 of its text."},)

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    digest: Mapped[str] = mapped_column(Text)
    applied_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    version: Mapped[str | None] = mapped_column(
        Text, comment="Version of the program that applied the file; null where that is not known."
    )


class SchemaFacts(Base):
    """The one row of what programs must know of the schema before they use it."""

    __tablename__ = "schema_facts"
    __table_args__ = (
        CheckConstraint("one", name="one"),
        {"comment": "One row: the oldest program that may use the schema."},
    )

    one: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    oldest_program: Mapped[str] = mapped_column(
        Text, comment="Version of the oldest program that may use the schema; raised by a migration that contracts it."
    )
