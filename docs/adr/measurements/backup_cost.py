"""What a backup costs beside pg_dump alone, by turns, on clustered vectors; the last backup is restored and verified.

Run from the repository: .venv/bin/python docs/adr/measurements/backup_cost.py [RECORDS] [ROUNDS]
"""

# ruff: noqa: T201 - a script that prints

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from app import create_context
from app.config import Settings
from app.db import backup, loads, schema
from app.db.embedded import EmbeddedDatabase
from app.db.records import NewRecord
from app.services import collections
from app.services.backups import Backups

PIECE, CENTRES = 10_000, 500


def seconds(work: Callable[[], object]) -> float:
    """Return how long something takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main(records: int = 500_000, rounds: int = 3) -> None:
    """Fill, measure, verify, and print the figures."""
    chance = np.random.default_rng(1)
    centres = chance.standard_normal((CENTRES, 256))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        home.chmod(0o755)  # the database's user looks in
        embedded = EmbeddedDatabase(home)
        url = embedded.start()
        try:
            schema.upgrade(url)
            context = create_context(Settings(home=home), url)
            context.open()
            made = collections.create(context, "c", "photo")
            for first in range(0, records, PIECE):
                looks = centres[chance.integers(0, CENTRES, PIECE)] + 0.5 * chance.standard_normal((PIECE, 256))
                looks = (looks / np.linalg.norm(looks, axis=1, keepdims=True)).astype(np.float32)
                loads.copy(
                    context.db,
                    made,
                    [NewRecord(f"r{first + n}", f'{{"n": {first + n}}}', one) for n, one in enumerate(looks)],
                )
            with context.db.session() as connection:
                connection.execute("VACUUM ANALYZE")
            print(f"{records:,} records", flush=True)
            backups, ratios = Backups(home / "backups"), []
            for number in range(rounds):
                file = home / f"{number}.dump"
                pair = [lambda: backup.dump(url, file), lambda: backups.create(url, 1)]  # noqa: B023
                order = (0, 1) if number % 2 else (1, 0)
                took = {one: seconds(pair[one]) for one in order}
                file.unlink()
                ratios.append(took[1] / took[0])
                print(f"pg_dump {took[0]:.2f} s, backup {took[1]:.2f} s: {ratios[-1]:.3f}", flush=True)
            print(f"median {median(ratios):.3f}", flush=True)
            started = time.perf_counter()
            verified = backups.verify(backups.listed()[0])
            print(f"verified in {time.perf_counter() - started:.1f} s: differences {verified.differences}", flush=True)
            context.close()
        finally:
            embedded.stop()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
