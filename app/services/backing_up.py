"""Servers have backups taken now and then, by a job that one of them asks for."""

import logging
from datetime import UTC, datetime, timedelta

from app.db import backups as table
from app.db.embedded import bundled_program
from app.domain.jobs import Job
from app.services.context import Context
from app.services.jobs import asking
from app.services.jobs.backup_job import BACKUP
from app.services.watching import every

log = logging.getLogger(__name__)

_EVERY_SECONDS = 300.0


def watch(context: Context, every_seconds: float = _EVERY_SECONDS) -> None:
    """Look in the background whether a backup is due, until the context is closed; nothing where none is wanted."""
    if context.settings.backup_hours:
        failed = "whether a backup is due was not looked for"
        every(context, every_seconds, "backup-watch", lambda: ask(context), failed)


def ask(context: Context, now: datetime | None = None) -> Job | None:
    """Ask for a job that takes a backup, if the last one is older than LOOKALIKE_BACKUP_HOURS; return it.

    Of several servers one asks. A job that failed is not asked for again before the next one is due.

    Raises:
        Unavailable: the database is away.

    """
    now = now or datetime.now(UTC)
    hours = context.settings.backup_hours
    last = table.latest(context.db)
    if last is not None and now - last < timedelta(hours=hours):
        return None
    key = f"backup-{int(now.timestamp() // (hours * 3600))}"
    verify = bundled_program("initdb") is not None
    job, made = asking.start(context, BACKUP, None, {"verify": verify}, idempotency_key=key)
    if not made:
        return None
    log.info("job %d takes a backup", job.id)
    return job
