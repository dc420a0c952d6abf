"""The screen Jobs: what takes long, how far it is, what it could not take, and the buttons that change it."""

from itertools import islice
from typing import Any

from app.domain.jobs import Job, State
from app.domain.tokens import Scope
from app.services.context import Context
from app.services.jobs import asking
from app.ui.page import Page, Shown

MOST = 100
_REJECTS = 20
GROUPS: dict[str, frozenset[State] | None] = {
    "all": None,
    "open": frozenset({State.QUEUED, State.RUNNING, State.PAUSING, State.PAUSED}),
    "done": frozenset({State.DONE, State.DONE_WITH_REJECTS}),
    "failed": frozenset({State.FAILED, State.CANCELLED}),
}
"""What the list shows, by the parameter `show`."""


def view(context: Context, page: Page) -> Shown:
    """Return the latest jobs that the token may see, and the one that is chosen.

    Raises:
        JobNotFound: there is none of that number, or none that may be seen.

    """
    sight = asking.sight_of(page.principal, Scope.READ)
    group = page.query.get("show", "all")
    states = GROUPS.get(group)
    jobs = asking.listed(context, sight, states=states, most=MOST)
    number = page.query.get("job", "")
    chosen = asking.get(context, int(number), sight) if number.isascii() and number.isdigit() else None
    rejects = [] if chosen is None else list(islice(asking.rejects(context, chosen.id, sight), _REJECTS))
    return {
        "groups": list(GROUPS),
        "group": group if group in GROUPS else "all",
        "jobs": [_row(one) for one in jobs],
        "chosen": None if chosen is None else _row(chosen),
        "rejects": rejects,
        "full": len(jobs) == MOST,
    }


def _row(job: Job) -> dict[str, Any]:
    """Return what a template shows of a job: as the API tells it, with the share that is done."""
    progress = job.progress
    share = 1.0 if job.state in (State.DONE, State.DONE_WITH_REJECTS) else 0.0
    if not share and progress.total:
        share = min(1.0, progress.done / progress.total)
    outcome = job.outcome if isinstance(job.outcome, dict) else {}
    figures = {name: value for name, value in outcome.items() if value and not isinstance(value, (dict, list))}
    return {
        **job.told(),
        "share": share,
        "said": job.state.replace("_", " "),
        "figures": figures,
        "has_result": job.kind == "export" and job.state is State.DONE,
    }
