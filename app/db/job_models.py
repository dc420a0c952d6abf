"""The tables of jobs as SQLAlchemy models; `app.db.models` has all of them."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Double, ForeignKey, Identity, Index, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.db.model_base import SCHEMA, Base
from app.domain.jobs import State


class Job(Base):
    """Long work: what was asked for, how far it is, and what became of it."""

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint("kind ~ '^[a-z][a-z-]{0,39}$'", name="kind"),
        CheckConstraint("jsonb_typeof(parameters) = 'object'", name="parameters"),
        CheckConstraint(f"state IN ({', '.join(repr(str(state)) for state in State)})", name="state"),
        CheckConstraint("octet_length(idempotency_key) BETWEEN 1 AND 255", name="idempotency_key"),
        Index("jobs_at_work_idx", "collection_id", "kind", unique=True, postgresql_where=text("worker IS NOT NULL")),
        Index(
            "jobs_idempotency_key_idx",
            "token_id",
            "idempotency_key",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=text("idempotency_key IS NOT NULL"),
        ),
        Index(
            "jobs_unfinished_idx",
            "id",
            postgresql_where=text("state IN ('queued', 'running', 'pausing') OR worker IS NOT NULL"),
        ),
        {"comment": "Long work: what was asked for, how far it is, and what became of it."},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    # Before `bytes`, which is a column, too.
    request_digest: Mapped[bytes | None]
    source_digest: Mapped[bytes | None]
    collection_id: Mapped[int | None]
    collection: Mapped[str | None] = mapped_column(
        Text, comment="Name of the collection when the job was made; it may be dropped."
    )
    parameters: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    state: Mapped[str] = mapped_column(Text, server_default=text("'queued'"))
    phase: Mapped[str | None] = mapped_column(Text)
    done: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    total: Mapped[int | None] = mapped_column(BigInteger)
    rejected: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    bytes: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    indexed: Mapped[int | None] = mapped_column(BigInteger)
    rate: Mapped[float | None] = mapped_column(Double)
    checkpoint: Mapped[Any | None] = mapped_column(
        JSONB, comment="Where another worker goes on, with the progress up to there."
    )
    outcome: Mapped[Any | None] = mapped_column(JSONB)
    error: Mapped[str | None] = mapped_column(Text)
    priority: Mapped[int] = mapped_column(server_default=text("0"))
    reserved: Mapped[str | None] = mapped_column(Text, comment="The only worker that may begin it; null: any.")
    local: Mapped[bool] = mapped_column(
        server_default=text("false"),
        comment="Whether it reads or writes what only the machine of its command has.",
    )
    worker: Mapped[str | None] = mapped_column(Text, comment="Who is at it; null: nobody.")
    attempt: Mapped[int] = mapped_column(
        server_default=text("0"), comment="How often a worker took it: one that lost it writes nothing more."
    )
    token_id: Mapped[int | None]
    idempotency_key: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    started_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    heartbeat_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class JobReject(Base):
    """A record that a job could not take."""

    __tablename__ = "job_rejects"
    __table_args__ = ({"comment": "Records that a job could not take, and why."},)

    job_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.jobs.id", ondelete="CASCADE"), primary_key=True)
    line: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[str | None] = mapped_column(Text)
    code: Mapped[int]
    reason: Mapped[str] = mapped_column(Text)
    source: Mapped[str | None] = mapped_column(Text, comment="The record as it came, to be mended and sent again.")


class JobWorker(Base):
    """A worker that takes jobs of any kind."""

    __tablename__ = "job_workers"
    __table_args__ = ({"comment": "Workers that take jobs of any kind, and when each was seen last."},)

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class FetchedUrl(Base):
    """A URL that an import fetched, and what its host gave to ask with whether it has changed."""

    __tablename__ = "fetched_urls"
    __table_args__ = (
        Index("fetched_urls_seen_at_idx", "seen_at"),
        {
            "comment": "URLs that imports fetched, by SHA-256, and what their hosts gave to ask with whether they "
            "have changed."
        },
    )

    url: Mapped[bytes] = mapped_column(primary_key=True)
    place: Mapped[bytes] = mapped_column(comment="SHA-256 of the URL that answered, redirects followed.")
    digest: Mapped[bytes] = mapped_column(comment="SHA-256 of what was fetched.")
    etag: Mapped[str | None] = mapped_column(Text)
    modified: Mapped[str | None] = mapped_column(Text, comment="The header Last-Modified, as it came.")
    seen_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Backup(Base):
    """A backup that was taken."""

    __tablename__ = "backups"
    __table_args__ = (
        {
            "comment": "Backups that were taken by lookalike backup: of which moment, where they lie, when each was "
            "last restored."
        },
    )

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    place: Mapped[str] = mapped_column(Text, primary_key=True, comment="The host and the folder.")
    begun_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    bytes: Mapped[int] = mapped_column(BigInteger)
    records: Mapped[int] = mapped_column(BigInteger)
    verified_at: Mapped[datetime | None] = mapped_column(
        DateTime(timezone=True), comment="When it was last restored elsewhere and compared."
    )
    differences: Mapped[list[str]] = mapped_column(
        ARRAY(Text), server_default=text("'{}'"), comment="What differed then; none: it holds what it should."
    )
