"""The tables of maps as SQLAlchemy models; `app.db.models` has all of them."""

from datetime import datetime

from sqlalchemy import (
    ARRAY,
    REAL,
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    LargeBinary,
    SmallInteger,
    Text,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.db.model_base import SCHEMA, Base

_MAP = f"{SCHEMA}.maps.collection_id"


class Map(Base):
    """A collection that has a map."""

    __tablename__ = "maps"
    __table_args__ = (
        CheckConstraint("layout IN ('none', 'principal', 'neighbours')", name="layout"),
        {"comment": "Collections that have a map: of which vectors, by which layout."},
    )

    collection_id: Mapped[int] = mapped_column(
        ForeignKey(f"{SCHEMA}.collections.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    generation: Mapped[int] = mapped_column(
        comment="The generation of the vectors; the map is out of date where the collection has another."
    )
    version: Mapped[int] = mapped_column(BigInteger, Identity(always=True), comment="Another one with each layout.")
    layout: Mapped[str] = mapped_column(Text)
    seed: Mapped[int]
    places: Mapped[int] = mapped_column(
        server_default=text("0"), comment="How many places were given: the next point gets this one."
    )
    begun_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    made_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    draft: Mapped[bytes | None] = mapped_column(
        LargeBinary, comment="The layout that a job is at, to go on with; null where none is."
    )


class MapPoint(Base):
    """Where a record lies."""

    __tablename__ = "map_points"
    __table_args__ = ({"comment": "Where records lie on the map of their collection."},)

    collection_id: Mapped[int] = mapped_column(
        ForeignKey(_MAP, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    id: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    place: Mapped[int] = mapped_column(
        comment="Its number in the answers of the API, which no other point of this version ever gets."
    )
    x: Mapped[float] = mapped_column(REAL)
    y: Mapped[float] = mapped_column(REAL)
    apart: Mapped[float | None] = mapped_column(
        REAL,
        comment="The mean distance of its five nearest neighbours, on the API's scale; null before they are known.",
    )
    cluster: Mapped[int | None] = mapped_column(SmallInteger, comment="Its cluster; null where it is in none.")
    placed: Mapped[bool] = mapped_column(
        server_default=text("false"), comment="Whether it was put beside its neighbours after the layout was made."
    )


class MapCluster(Base):
    """A place where a map is dense."""

    __tablename__ = "map_clusters"
    __table_args__ = ({"comment": "Where maps are densest: a cluster around each such place."},)

    collection_id: Mapped[int] = mapped_column(
        ForeignKey(_MAP, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    cluster: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    x: Mapped[float] = mapped_column(REAL)
    y: Mapped[float] = mapped_column(REAL)


class MapPart(Base):
    """Some records of a map that is being made, and their neighbours."""

    __tablename__ = "map_parts"
    __table_args__ = ({"comment": "What a job that makes a map goes on with: records and their neighbours."},)

    collection_id: Mapped[int] = mapped_column(
        ForeignKey(_MAP, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    part: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    ids: Mapped[list[str]] = mapped_column(ARRAY(Text(collation="C")))
    marks: Mapped[bytes] = mapped_column(LargeBinary, comment="Eight bytes of the MD5 of each record's vector.")
    neighbours: Mapped[bytes | None] = mapped_column(
        LargeBinary,
        comment="Of each record its neighbours' numbers (int32) and similarities (float32); "
        "null before they are known.",
    )
