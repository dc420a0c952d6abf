"""The table of screens: a screen is a row here, a view, a template and a script of the same name."""

from collections.abc import Callable
from dataclasses import dataclass

from app.domain.errors import Forbidden
from app.domain.tokens import Principal, Scope
from app.services.context import Context
from app.ui import access, collections, duplicates, jobs, operations, records, search, trying
from app.ui import map as map_
from app.ui.page import Page, Shown


@dataclass(frozen=True, slots=True)
class Screen:
    """One screen of the console.

    Attributes:
        name: its path below `/console`, the name of its template and of its script.
        title: what the navigation calls it.
        key: the letter that leads to it after `g`.
        view: returns what the template shows beside what every page has.
        scope: what a token must be allowed to do, so that it is shown.
        collection: whether it is about one collection, which the chooser chooses.
        everywhere: whether a token must be one for all collections.

    """

    name: str
    title: str
    key: str
    view: Callable[[Context, Page], Shown]
    scope: Scope = Scope.READ
    collection: bool = True
    everywhere: bool = False

    def open_to(self, principal: Principal) -> bool:
        """Say whether a token may see it."""
        return self.scope in principal.allowed and (principal.collections is None or not self.everywhere)

    def check(self, principal: Principal) -> None:
        """Check that a token may see it.

        Raises:
            Forbidden: it may not; the sentence says what it lacks.

        """
        if not self.open_to(principal):
            where = " for all collections" if self.everywhere else ""
            raise Forbidden(f"{self.title} is for tokens with the scope {self.scope}{where}; yours may do less")


SCREENS = (
    Screen("search", "Search", "s", search.view),
    Screen("records", "Records", "r", records.view),
    Screen("duplicates", "Duplicates", "d", duplicates.view),
    Screen("map", "Map", "m", map_.view),
    Screen("collections", "Collections", "c", collections.view),
    Screen("jobs", "Jobs", "j", jobs.view, collection=False),
    Screen("access", "Access", "a", access.view, scope=Scope.ADMIN, collection=False, everywhere=True),
    Screen("operations", "Operations", "o", operations.view, scope=Scope.ADMIN, collection=False, everywhere=True),
    Screen("try", "Try it", "t", trying.view),
)
