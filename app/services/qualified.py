"""Searches that answer more than the nearest records, all of it over one qualified set (`app.domain.refinement`)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from app.db import facets as facet_table
from app.db.search import compared, count_matches, find, products_of, stored, with_fields
from app.db.search.arranged import Arrangement, Boosted, count_within, key_types, members, page, within
from app.domain.errors import InvalidRequest, Unavailable
from app.domain.facets import Facet
from app.domain.ranking import Beside, Group, Nearest
from app.domain.records import Found, Json
from app.domain.refinement import Refinement
from app.domain.windows import Window
from app.filters import NO_FILTER, split
from app.search.plan import Way
from app.search.request import Query
from app.search.variety import most_varied
from app.services.context import Context
from app.services.facets import asked, check_histograms
from app.services.filtering import compiled, in_boost, tree
from app.services.indexing import mend
from app.services.pagetoken import PageTokens


def nearest_to(context: Context, query: Query) -> Nearest:
    """Return the page that a query asks for.

    Raises:
        InvalidRequest: it looks for a stored record, which is not there.

    """
    nearest = find(context.db, query)
    if nearest is None:
        raise InvalidRequest("the record that is looked for is not stored")
    if nearest.copies or nearest.perhaps_copies:
        mend(context, query.collection, sure=nearest.copies)
    return nearest


def search(context: Context, query: Query, refinement: Refinement, filter_: Json) -> Nearest:
    """Return the page that is asked for, and what is asked beside it.

    `query` looks for vectors, not for the id of a stored record, or for nothing; its `where` is `filter_`, in which no
    value is left to be taken from the query record. The refinement was checked.

    Raises:
        InvalidRequest: the page token is another search's.
        FilterError: the filter of a boost is not one.

    """
    return _Refined(context, query, refinement, filter_, _arrangement(query, refinement)).answer()


def _arrangement(query: Query, refinement: Refinement) -> Arrangement:
    boosts = []
    for number, boost in enumerate(refinement.boosts):
        if boost.path is not None:
            boosts.append(Boosted(boost.weight, path=boost.path))
            continue
        with in_boost(number):
            condition = compiled(query.collection, tree(boost.filter), f"boosted{number}_")
        boosts.append(Boosted(boost.weight, condition))
    return Arrangement(refinement.sort, boosts)


@dataclass(slots=True)
class _Refined:
    """One such search. `candidates` are found first, where they are a cutoff; `way` is how the nearest were found."""

    context: Context
    query: Query
    refinement: Refinement
    filter: Json
    arrangement: Arrangement
    way: str = Way.EXACT
    candidates: list[Found] | None = None

    def answer(self) -> Nearest:
        started = perf_counter()
        if self.refinement.candidates is not None:
            nearest = self._candidates(self.query)
            self.candidates, self.way = nearest.records, nearest.way
        beside = Beside(self._cutoff(), exact=self.candidates is None or self.way == Way.EXACT)
        found, beside = self._page(beside)
        if self.refinement.group_size is not None:
            beside = replace(beside, groups=self._groups(found.records))
        beside = self._counted(beside)
        return replace(found, beside=beside, milliseconds=(perf_counter() - started) * 1000)

    def _cutoff(self) -> str:
        named = {"radius": self.query.radius, "candidates": self.refinement.candidates}
        return ", ".join(name for name, value in named.items() if value is not None) or "none"

    def _candidates(self, query: Query) -> Nearest:
        """Return the nearest of the query's matches, as many as the cutoff says."""
        window = Window(self.refinement.candidates)
        return nearest_to(self.context, replace(query.only_ids(), window=window, product_field=None))

    @property
    def _set(self) -> Query:
        """The query over the qualified set: its filter, and the candidates where there are any."""
        return self.query if self.candidates is None else self.query.among([one.id for one in self.candidates])

    def _page(self, beside: Beside) -> tuple[Nearest, Beside]:
        refinement, db = self.refinement, self.context.db
        if refinement.arranged:
            return self._arranged(beside)
        if refinement.diversity is not None:
            return self._varied(refinement.diversity), beside
        if self.candidates is not None:
            if self.query.product_field is not None:
                return Nearest(compared(db, self._set), self.way), beside
            return Nearest(with_fields(db, self.query, self.candidates[self._slice]), self.way), beside
        # What is counted within a radius reads every match anyway: then the page is of exactly the set that is counted.
        counted = self.query.radius is not None and (refinement.count or refinement.facets)
        return nearest_to(self.context, replace(self.query, exact=self.query.exact or bool(counted))), beside

    @property
    def _slice(self) -> slice:
        return slice(self.query.window.offset, self.query.window.end)

    def _arranged(self, beside: Beside) -> tuple[Nearest, Beside]:
        token, window, arrangement = self.refinement.page_token, self.query.window, self.arrangement
        tokens = None
        if token is not None:
            types = key_types(self.query, arrangement)
            tokens = PageTokens(self.query, self.refinement.sort, self.refinement.boosts, types)
            arrangement = replace(arrangement, after=tokens.read(token) if token else None)
            # One record more says whether there is a next page.
            window = Window(window.k and window.k + 1)
        arranged = page(self.context.db, replace(self._set, window=window), arrangement)
        shown = arranged[: self.query.window.k]
        if tokens is not None and len(arranged) > len(shown):
            beside = replace(beside, page_token=tokens.write(shown[-1].keys))
        if self.refinement.boosts:
            beside = replace(beside, boosted=[one.boosted or 0.0 for one in shown])
        return Nearest([one.found for one in shown], self.way), beside

    def _varied(self, diversity: float) -> Nearest:
        wanted = self.refinement.pool(self.query.window)
        if self.candidates is None:
            nearest = nearest_to(self.context, replace(self.query.only_ids(), window=Window(wanted)))
            pool, self.way = nearest.records, nearest.way
        elif self.query.product_field is not None:
            pool = compared(self.context.db, replace(self._set.only_ids(), window=Window(wanted)))
        else:
            pool = self.candidates
        # The fields come along with the vectors: another round trip for those of the page takes longer.
        known = stored(self.context.db, self.query.collection, [one.id for one in pool], self.query.fields)
        pool = [one for one in pool if one.id in known]  # else deleted meanwhile
        if not pool:
            return Nearest([], self.way)
        vectors = np.stack([known[one.id].vector.to_numpy() for one in pool]).astype(np.float32)
        distances = np.array([one.distance or 0.0 for one in pool]) / self.query.collection.distance_scale
        order = most_varied(vectors, distances, diversity, min(len(pool), self.query.window.end))
        chosen = [pool[place] for place in order[self._slice]]
        return Nearest([one._replace(attributes=known[one.id].attributes) for one in chosen], self.way)

    def _groups(self, found: Sequence[Found]) -> list[Group]:
        """Return the groups of the records of the page, which are the first of each."""
        db, field = self.context.db, self.query.product_field or ""
        products = products_of(db, self.query.collection, [one.id for one in found], field)
        groups = {}
        if products:
            wanted = list(dict.fromkeys(products.values()))
            groups = members(db, self._set, self.arrangement, wanted, self.refinement.group_size or 1)
        # A record without the field is a group of its own; so is one whose group was deleted meanwhile.
        return [groups.get(products.get(one.id, "")) or Group(products.get(one.id), 1, [one]) for one in found]

    def _counted(self, beside: Beside) -> Beside:
        """Return what is counted; where the database takes too long for facets, why they are left out."""
        refinement, size = self.refinement, None if self.candidates is None else len(self.candidates)
        try:
            if refinement.facets:
                size, facets = self._facets(size)
                beside = replace(beside, facets=facets)
            elif refinement.count and size is None:
                size = self._count()
        except Unavailable as error:
            return replace(beside, left_out=str(error))
        return replace(beside, size=size, total=size if refinement.count else None)

    def _count(self) -> int:
        if self.query.radius is not None:
            return count_within(self.context.db, self.query)
        return count_matches(self.context.db, self.query.collection, self.query.where)

    def _facets(self, size: int | None) -> tuple[int, dict[str, str]]:
        db, collection, facets = self.context.db, self.query.collection, self.refinement.facets
        what = asked(collection, facets, self.filter)
        if self.candidates is None:
            if self.query.radius is not None:
                what = replace(what, where=what.where & within(replace(self.query, where=what.where)))
            counted = facet_table.count(db, what)
            check_histograms(facets, counted.facets)
            return counted.total, counted.facets
        answers: dict[str, str] = {}
        by_path: dict[tuple[str, ...] | None, list[Facet]] = {}
        for facet in facets:
            alone = facet.exclude_own and facet.path in what.excluded
            by_path.setdefault(facet.path if alone else None, []).append(facet)
        for path, those in by_path.items():
            # The candidates already satisfy the filter; those of a facet that excludes its own condition, all the rest.
            among = replace(self.query, where=NO_FILTER).among([one.id for one in self._without(path)])
            excluded = frozenset() if path is None else frozenset({path})
            part = replace(what, facets=those, where=among.where, excluded=excluded)
            answers |= facet_table.count(db, part).facets
        check_histograms(facets, answers)
        return size or 0, {facet.name: answers[facet.name] for facet in facets}

    def _without(self, path: tuple[str, ...] | None) -> Sequence[Found]:
        """Return the candidates as they were without the filter's own condition on a field."""
        if path is None:
            return self.candidates or ()
        _, others = split(tree(self.filter), path)
        return self._candidates(replace(self.query, where=compiled(self.query.collection, others))).records
