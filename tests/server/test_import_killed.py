"""An import whose worker is killed goes on: nothing is lost, nothing is twice, and what is shown never falls."""

import json
import subprocess
import sys
import time
from pathlib import Path

from app import create_context
from app.config import Settings
from app.domain.jobs import State
from app.services import collections
from app.services.importing.job import IMPORT
from app.services.jobs import asking
from tests.support.importing import do, stored, vectors

RECORDS, ROUNDS = 6000, 2
WORKER = """
import sys
from pathlib import Path
from app import create_context
from app.config import Settings
from app.services.importing.job import IMPORT
from app.services.jobs.working import Pace, Worker
context = create_context(Settings(home=Path(sys.argv[1]), files_root=Path(sys.argv[2])), sys.argv[3])
context.open()
Worker(context, Pace(look=0.02, beat=0.1, lease=0.5), [IMPORT]).work()
"""


def test_nothing_is_lost_or_twice_where_the_worker_is_killed(database_url: str, tmp_path: Path) -> None:
    several = [json.dumps(one) for one in vectors(8)]
    with (tmp_path / "records").open("w") as file:
        for number in range(RECORDS):
            file.write(f'{{"_id": "r{number}", "n": {number}, "_embedding": {several[number % 8]}}}\n')
            if not number % 1000:
                file.write("{\n")  # a reject
    context = create_context(Settings(home=tmp_path / "home", files_root=tmp_path), database_url)
    context.open()
    collection = collections.create(context, "killed", "photo")
    job = asking.start(context, IMPORT, collection, {"source": {"path": "records"}})[0]
    shown = [0]
    for _ in range(ROUNDS):
        given = [str(tmp_path / "home"), str(tmp_path), database_url]
        worker = subprocess.Popen([sys.executable, "-c", WORKER, *given])
        goal = shown[-1]
        while shown[-1] <= goal and worker.poll() is None:
            shown.append(asking.get(context, job.id).progress.done)
        worker.kill()
        worker.wait()
    assert asking.get(context, job.id).state == State.RUNNING, "it was killed before its end"
    shown.append(asking.get(context, job.id).progress.done)
    time.sleep(1.1)  # QUICK's lease: the killed worker is taken for dead
    job = do(context, job)
    assert shown == sorted(shown)
    assert (job.state, job.attempt) == (State.DONE_WITH_REJECTS, ROUNDS + 1)
    assert {record_id: one["n"] for record_id, one in stored(context, collection).items()} == {
        f"r{number}": number for number in range(RECORDS)
    }
    assert [one.line for one in asking.rejects(context, job.id)] == [2 + 1001 * step for step in range(6)]
    assert job.outcome["stored"] == RECORDS  # type: ignore[call-overload, index]
    assert (job.outcome["rejected"], job.progress.done) == (6, RECORDS + 6)  # type: ignore[call-overload, index]
    context.close()
