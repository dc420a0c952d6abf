"""A map is made: components first, which are a map at once, then neighbours, then the layout by them."""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.db import map_making as making
from app.db import maps as table
from app.db.engine import Connection
from app.db.map_making import Drawn, Laid
from app.domain.collections import Collection
from app.domain.records import Json
from app.mapping.clusters import clusters
from app.mapping.layout import STEPS, Layout, beginning, edges
from app.mapping.neighbours import BLOCK, NEIGHBOURS, Comparison
from app.mapping.principal import principal
from app.services import maps
from app.services.context import Context
from app.services.jobs.running import Running

LAID_OUT = 200_000
"""Records that are laid out at most; the others are put beside their neighbours."""
_COMPARING = 0.4  # share of the work that comparing is
_KEEP_SECONDS = 5.0
_NEAREST = 5
_FEWEST = 3  # records; less are drawn by their components


@dataclass
class Making:
    """One run of a job that makes a map of a collection; it goes on from the job's position."""

    context: Context
    collection: Collection
    job: Running
    seed: int

    def run(self) -> dict[str, Json]:
        """Make what is not made yet; return the outcome of the job.

        Raises:
            Conflict: the vectors were made anew meanwhile.
            Stopped: the job is to stop.

        """
        step = self.job.position["step"] if isinstance(self.job.position, dict) else "begin"
        if step == "begin":
            self._begin()
        if step in {"begin", "neighbours"}:
            self._find_neighbours()
        if step != "place":
            self._lay_out()
        placed = self._place()
        state = maps.state(self.context, self.collection)
        found = maps.clusters(self.context, self.collection)
        return {"records": state.points if state else 0, "placed": placed, "clusters": len(found)}

    def _begin(self) -> None:
        """Store the first two components, and keep which records are laid out."""
        self.job.phase("reading vectors")
        making.begin(self.context.db, self.collection, self.seed)
        with making.vectors(self.context.db, self.collection, None, LAID_OUT, self.seed) as vectors:
            total = len(vectors)
            self.job.show(0, total)
            self.job.safe_point()
            flat = np.zeros((total, 2), np.float32)
            if total:
                axes = principal(vectors, total, lambda _: self.job.safe_point())
                for start in range(0, total, BLOCK):
                    part = axes.project(vectors(start, BLOCK), 2)
                    flat[start : start + len(part), : part.shape[1]] = part
            laid = vectors.laid
            draft = Layout(beginning(flat, self.seed)).kept() if total else b""

        def work(connection: Connection) -> None:
            making.store(connection, self.collection, "principal", Drawn(laid, flat, self._places(total)))
            making.keep_parts(connection, self.collection, laid)
            making.keep_draft(connection, self.collection, draft)
            self.job.checkpoint(connection, {"step": "neighbours"})

        self.context.db.write(work)

    def _places(self, total: int) -> NDArray[np.int32]:
        """Return the places of records: drawn by lot, so that the first of them are a sample."""
        return np.random.default_rng(self.seed).permutation(total).astype(np.int32)

    def _find_neighbours(self) -> None:
        known = making.kept(self.context.db, self.collection, NEIGHBOURS)
        total = len(known.laid.ids)
        many = min(NEIGHBOURS, total - 1)
        self.job.phase("comparing records", total)
        if total >= _FEWEST and known.done < total:
            with making.vectors(self.context.db, self.collection, known.laid, LAID_OUT, self.seed) as vectors:
                comparison = Comparison(vectors, total, principal(vectors, total, lambda _: self.job.safe_point()))
                for start in range(known.done, total, making.PART):
                    self._part(comparison, start, min(making.PART, total - start), many)
        self.job.save({"step": "layout"})

    def _part(self, comparison: Comparison, start: int, size: int, many: int) -> None:
        places = np.full((size, NEIGHBOURS), -1, np.int32)
        similar = np.full((size, NEIGHBOURS), np.nan, np.float32)
        for at in range(0, size, BLOCK):
            self.job.safe_point()
            found, near = comparison.nearest(start + at, min(BLOCK, size - at), many)
            places[at : at + len(found), :many], similar[at : at + len(found), :many] = found, near

        def work(connection: Connection) -> None:
            making.keep_neighbours(connection, self.collection, start // making.PART, places, similar)
            self.job.checkpoint(connection, {"step": "neighbours"}, done=int(size * _COMPARING))

        self.context.db.write(work)

    def _lay_out(self) -> None:
        known = making.kept(self.context.db, self.collection, NEIGHBOURS)
        total = len(known.laid.ids)
        many = min(NEIGHBOURS, total - 1)
        self.job.phase("laying out", total)
        layout = Layout.of(making.draft(self.context.db, self.collection) or b"\0\0\0\0")
        if total >= _FEWEST:
            kept_at, before = time.monotonic(), self.job.progress.done
            for step in layout.steps(edges(known.neighbours[:, :many])):
                self.job.safe_point()
                self.job.show(max(before, int(total * (_COMPARING + (1 - _COMPARING) * step / STEPS))), total)
                if time.monotonic() >= kept_at + _KEEP_SECONDS:
                    self._keep(layout)
                    kept_at = time.monotonic()
        apart = None
        if total >= _FEWEST:
            near = known.similarities[:, : min(_NEAREST, many)].mean(axis=1, dtype=np.float64)
            apart = np.maximum(0, self.collection.distance_scale * (1 - near)).astype(np.float32)
        drawn = Drawn(known.laid, layout.points, self._places(total), apart, clusters(layout.points))

        def work(connection: Connection) -> None:
            making.store(connection, self.collection, "neighbours", drawn)
            self.job.checkpoint(connection, {"step": "place"})

        self.context.db.write(work)
        making.tidy(self.context.db, self.collection)

    def _keep(self, layout: Layout) -> None:
        def work(connection: Connection) -> None:
            making.keep_draft(connection, self.collection, layout.kept())
            self.job.checkpoint(connection, {"step": "layout"})

        self.context.db.write(work)

    def _place(self) -> int:
        """Put the records that were not laid out beside their neighbours."""
        self.job.phase("placing the others")

        def tell(number: int) -> None:
            self.job.advance(number)
            self.job.safe_point()

        placed = maps.place_all(self.context, self.collection, tell)
        found = table.version(self.context.db, self.collection)
        if found is not None and found.places > maps.DRAWN:

            def work(connection: Connection) -> None:
                making.keep_outliers(connection, self.collection, maps.DRAWN, maps.OUTLIERS)
                self.job.checkpoint(connection, {"step": "place"})

            self.context.db.write(work)
        return placed


def only_new(context: Context, collection: Collection, most_placed: float) -> bool:
    """Say whether a map is there that new records can be put on: not more of it than a share was put there so."""
    found = maps.state(context, collection)
    if found is None or found.layout != "neighbours" or found.generation != collection.generation:
        return False
    return found.placed + found.records - found.points <= most_placed * found.records


__all__ = ["LAID_OUT", "Laid", "Making", "only_new"]
