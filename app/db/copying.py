"""A collection is copied within the database: all of it in one transaction, as of the moment of its snapshot."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from psycopg.pq import TransactionStatus

from app.db import locks
from app.db.engine import Connection, Database, partition, table_of
from app.db.loader import query
from app.domain.collections import Collection

_BLOCKS = 1024  # 8 MiB: a second of work at most, so that progress is seen and a job can stop
# The parents of the tables are locked for a moment.
_ATTEMPTS = 30
_PAUSE_SECONDS = 1.0

Kind = Literal["thumbnails", "originals"]


def made(db: Database, name: str, job_id: int) -> bool:
    """Say whether a collection is the copy that a job made."""
    row = db.one(query("copying", "made").render(), {"name": name, "job_id": job_id})
    return bool(row and row["made"])


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy that is being made; nobody sees it before `finish`."""

    connection: Connection
    source: Collection
    new_id: int

    def records(self) -> Iterator[int]:
        """Copy the records that have not expired, piece by piece; yield the number of each piece."""
        yield from self._pieces("records", table_of(self.source))

    def pictures(self, kind: Kind) -> Iterator[int]:
        """Copy thumbnails or kept pictures, after the records; yield the number of each piece."""
        yield from self._pieces(kind, partition(kind, self.source))

    def _pieces(self, kind: Literal["records", Kind], table: str) -> Iterator[int]:
        spans = {
            "records": table_of(self.source),
            "thumbnails": partition("thumbnails", self.source),
            "originals": partition("originals", self.source),
            "next": f'"lookalike"."records_{self.new_id}"',
            "next_thumbnails": f'"lookalike"."thumbnails_{self.new_id}"',
            "next_originals": f'"lookalike"."originals_{self.new_id}"',
        }
        text = query("copying", kind).render(**spans)
        row = self.connection.execute(query("copying", "blocks").render(), {"name": table}).fetchone()
        for first in range(0, int((row or {})["blocks"]), _BLOCKS):
            values = {"new_id": self.new_id, "first": f"({first},0)", "behind": f"({first + _BLOCKS},0)"}
            done = self.connection.execute(text, values)
            yield int((done.fetchone() or {})["copied"])

    def attach(self) -> None:
        """Make the indexes that every collection has, and the tables its partitions.

        Raises:
            InTheWay: the tables of all collections stayed in use, as by a long query through them.

        """
        text = query("copying", "attach").render()
        locks.insist(
            self.connection,
            lambda: self.connection.execute(text, {"new_id": self.new_id}),
            _ATTEMPTS,
            _PAUSE_SECONDS,
        )

    def finish(self, note: Callable[[], None]) -> None:
        """Have it noted that the copy is there, and let everybody see it; nobody does where `note` raises an error."""
        note()
        self.connection.execute("COMMIT")


@contextmanager
def begun(db: Database, source: Collection, name: str, job_id: int) -> Iterator[Copy]:
    """Begin a copy under another name; what is not finished at the end of the block is gone.

    Raises:
        InvalidRequest: the name is taken, or not allowed.
        MissingRights: the role does not own the tables.

    """
    source.refuse_distributed("a copy")
    with db.session() as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        try:
            values = {"id": source.id, "name": name, "job_id": job_id}
            row = connection.execute(query("copying", "begin").render(), values).fetchone()
            yield Copy(connection, source, int((row or {})["id"]))
        finally:
            if connection.info.transaction_status not in {TransactionStatus.IDLE, TransactionStatus.UNKNOWN}:
                connection.execute("ROLLBACK")
