"""Loads that replace, and what is stored after them."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from app.db import collections as table
from app.services.loading import LoadReport, line_items, load
from tests.api.conftest import Api

Json = dict[str, Any]


def lines(
    api: Api, folder: Path, records_: list[Json], *, delete_missing: bool = False, dry_run: bool = False
) -> LoadReport:
    """Load records as JSON lines, in the place of stored ones."""
    (folder / "in.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records_))
    items = line_items(api.context, folder / "in.jsonl")
    report = load(api.context, own(api), items, replace_stored=True, delete_missing=delete_missing, dry_run=dry_run)
    assert report.seen == len(records_)
    return report


def own(api: Api) -> Any:
    return table.get(api.context.db, api.collection)


def given(api: Api) -> Json:
    """Return a vector as an export writes it."""
    vector = np.eye(1, own(api).dimensions)[0].tolist()
    return {"model": own(api).model, "revision": own(api).model_revision, "vector": vector}


def counts(report: LoadReport) -> tuple[int, int, int, int]:
    return report.stored, report.replaced, report.updated, report.present


def stored(api: Api) -> dict[str, Json]:
    got = api.post("allRecords", {"fields_to_return": ["*"]})["answer_records"]
    return {one.pop("_id"): one for one in got}


def rows(api: Api, columns: str) -> dict[str, tuple[Any, ...]]:
    with api.context.db.session() as connection:
        found = connection.execute(f"SELECT id, {columns} FROM lookalike.{own(api).records_table}".encode()).fetchall()
    return {row.pop("id"): tuple(row.values()) for row in found}


def forget_digests(api: Api) -> None:
    """Leave records as SQL and earlier versions store them."""
    with api.context.db.session() as connection:
        connection.execute(f"UPDATE lookalike.{own(api).records_table} SET digest = NULL".encode())


def noted(api: Api) -> dict[str, bool]:
    """Return which records were written since a change of the model began, and whether they have another picture."""
    with api.context.db.session() as connection:
        notes = connection.execute(
            "SELECT id, bool_or(new_picture) AS new FROM lookalike.reembedding_changes"
            " WHERE collection_id = %s GROUP BY id",
            (own(api).id,),
        ).fetchall()
    return {row["id"]: row["new"] for row in notes}
