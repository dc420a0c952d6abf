"""The table of screens: a screen is a row here, a view, a template and a script of the same name."""

from collections.abc import Callable
from dataclasses import dataclass

from app.domain.tokens import Scope
from app.services.context import Context
from app.ui import collections, jobs, search
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

    """

    name: str
    title: str
    key: str
    view: Callable[[Context, Page], Shown]
    scope: Scope = Scope.READ
    collection: bool = True


SCREENS = (
    Screen("search", "Search", "s", search.view),
    Screen("collections", "Collections", "c", collections.view),
    Screen("jobs", "Jobs", "j", jobs.view, collection=False),
)
