"""The tables of tokens and of who changed what as SQLAlchemy models; `app.db.models` has all of them."""

from datetime import datetime

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    LargeBinary,
    Text,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.db.model_base import SCHEMA, Base


class Token(Base):
    """A token, of which only the SHA-256 is kept."""

    __tablename__ = "tokens"
    __table_args__ = (
        CheckConstraint("octet_length(digest) = 32", name="digest"),
        CheckConstraint(
            "scopes <@ ARRAY['read', 'write', 'admin'] AND cardinality(scopes) > 0",
            name="scopes",
        ),
        CheckConstraint("requests_per_second > 0", name="requests_per_second"),
        CheckConstraint("pictures_per_second > 0", name="pictures_per_second"),
        CheckConstraint("concurrent_searches > 0", name="concurrent_searches"),
        CheckConstraint("body_bytes > 0", name="body_bytes"),
        CheckConstraint("batch_records > 0", name="batch_records"),
        {"comment": "API tokens, by the SHA-256 of the token; revoked ones stay on record."},
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    label: Mapped[str] = mapped_column(Text, server_default=text("''"))
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    all_collections: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime | None] = mapped_column(
        DateTime(timezone=True), comment="From then on the token is refused; null: never."
    )
    last_used_at: Mapped[datetime | None] = mapped_column(
        DateTime(timezone=True), comment="When it was used last, to a minute or so."
    )
    replaces: Mapped[int | None] = mapped_column(
        ForeignKey(f"{SCHEMA}.tokens.id"), comment="The token in whose place this one was made."
    )
    requests_per_second: Mapped[float | None] = mapped_column(Double)
    pictures_per_second: Mapped[float | None] = mapped_column(Double)
    concurrent_searches: Mapped[int | None]
    body_bytes: Mapped[int | None]
    batch_records: Mapped[int | None]


class TokenCollection(Base):
    """A grant of one collection to one token."""

    __tablename__ = "token_collections"
    __table_args__ = ({"comment": "Which collections a token that is not for all may use."},)

    token_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.tokens.id", ondelete="CASCADE"), primary_key=True)
    collection_id: Mapped[int] = mapped_column(
        ForeignKey(f"{SCHEMA}.collections.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class AuditEntry(Base):
    """Somebody changed something, or was not allowed to."""

    __tablename__ = "audit_log"
    __table_args__ = ({"comment": "Who changed what, and when; nothing of the data."},)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now(), index=True)
    token_id: Mapped[int | None]
    actor: Mapped[str | None] = mapped_column(
        Text, comment="The user of the command line; null for a request with a token."
    )
    action: Mapped[str] = mapped_column(Text)
    collection: Mapped[str | None] = mapped_column(Text)
    target: Mapped[str | None] = mapped_column(Text)
    code: Mapped[int] = mapped_column(comment="The code of the answer; of a command, that which it exits with.")
    request_id: Mapped[str | None] = mapped_column(Text)
