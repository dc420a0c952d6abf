"""A copy whose worker is killed is made by another: nothing is lost, nothing is twice, nothing is left over."""

import json
import subprocess
import sys
import time
from pathlib import Path

from app import create_context
from app.config import Settings
from app.db import loads
from app.db.records import NewRecord
from app.domain.jobs import State
from app.services import collections
from app.services.jobs import asking
from app.services.jobs.copy_job import COPY
from app.services.jobs.working import Worker
from tests.db.vectors import random_vectors
from tests.support.jobs import QUICK

RECORDS = 20_000
WORKER = """
import sys
from pathlib import Path
from app import create_context
from app.config import Settings
from app.services.jobs.copy_job import COPY
from app.services.jobs.working import Pace, Worker
context = create_context(Settings(home=Path(sys.argv[1])), sys.argv[2])
context.open()
Worker(context, Pace(look=0.02, beat=0.1, lease=0.5), [COPY]).work()
"""


def test_nothing_is_lost_or_twice_where_the_worker_is_killed(database_url: str, tmp_path: Path) -> None:
    """Once while records are copied, and once while the index is built."""
    context = create_context(Settings(home=tmp_path / "home"), database_url)
    context.open()
    source = collections.create(context, "source", "photo")
    vectors = random_vectors(RECORDS, source.dimensions)
    loads.copy(context.db, source, [NewRecord(f"r{n}", json.dumps({"n": n}), one) for n, one in enumerate(vectors)])
    job = asking.start(context, COPY, source, {"to": "target"})[0]
    for phase in ("copying records", "building indexes"):
        worker = subprocess.Popen([sys.executable, "-c", WORKER, str(tmp_path / "home"), database_url])
        while worker.poll() is None:
            now = asking.get(context, job.id)
            if now.progress.phase == phase and (phase != "copying records" or now.progress.done):
                break
        worker.kill()
        worker.wait()
        seen = asking.get(context, job.id)
        assert (seen.state, seen.progress.phase) == (State.RUNNING, phase), "it was killed before its end"
    time.sleep(1.1)  # QUICK's lease: the killed worker is taken for dead
    last = Worker(context, QUICK, [COPY], "tests")
    held = last.take(job.id)
    assert held is not None
    last.do(held)
    job = asking.get(context, job.id)
    assert (job.state, job.attempt) == (State.DONE, 3)
    assert job.outcome == {"collection": "target", "records": RECORDS, "indexed": True}
    target = collections.get(context, "target")
    different = (
        "SELECT count(*) AS n FROM (SELECT id, attributes::text, embedding::text FROM lookalike.{0}"
        " EXCEPT ALL SELECT id, attributes::text, embedding::text FROM lookalike.{1}) AS apart"
    )
    tables = source.records_table, target.records_table
    for one, other in (tables, tables[::-1]):
        assert context.db.one(different.format(one, other)) == {"n": 0}
    assert set(collections.names(context)) == {"source", "target"}
    left = (
        "SELECT count(*) AS n FROM pg_class WHERE relkind = 'r' AND relname ~ '^(records|thumbnails|originals)_[0-9]+$'"
    )
    assert context.db.one(left) == {"n": 6}, "of what was begun and not ended nothing is left"
    context.close()
