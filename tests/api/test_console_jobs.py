"""The console's screen Jobs as pages: who sees which jobs, what is told of them, hostile text."""

import re
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.domain.browser import COOKIE
from app.domain.tokens import Scope
from app.services import collections, tokens
from app.services.importing.job import IMPORT
from app.services.jobs import asking
from tests.api.conftest import Api
from tests.support.importing import do, lines, vectors

HOSTILE = "<img src=x onerror=alert(1)>\"'&lt;"


@pytest.fixture
def imported(api: Api, tmp_path: Any) -> str:
    """The number of a job with one record stored, and one rejected."""
    good, bad = vectors(2)
    path = lines(tmp_path / "source", [{"_id": "a", "_embedding": good}, {"_id": HOSTILE, "_embedding": bad[:3]}])
    collection = api.context.lookup.collection(api.collection)
    job, _ = asking.start(
        api.context, IMPORT, collection, {"source": {"path": str(path)}}, local=True, reserved="tests"
    )
    return str(do(api.context, job).id)


def asked(api: Api, path: str, token: str | None = None) -> TestResponse:
    client = api.client.application.test_client(use_cookies=False)
    return client.get(f"/console/jobs{path}", headers={"Cookie": f"{COOKIE}={token or api.token}"})


def page(api: Api, path: str, token: str | None = None) -> str:
    answer = asked(api, path, token)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_data(as_text=True)


def test_jobs_are_listed_and_one_is_told_of(api: Api, imported: str) -> None:
    listed = page(api, "")
    row = re.search(rf'<tr data-job="{imported}".*?</tr>', listed, re.DOTALL)
    assert row is not None
    for part in (f"import {imported}", api.collection, "done with rejects", "2 of 2", "1 rejected", 'value="1.0"'):
        assert part in row[0]
    told = page(api, f"?job={imported}")
    for part in (
        "<dt>stored</dt><dd>1</dd>",
        "line 2",
        "_embedding has 3 numbers",
        f"/jobs/v1/jobs/{imported}/rejects",
    ):
        assert part in told
    assert "<dt>present</dt>" not in told


def test_text_of_records_stays_text(api: Api, imported: str) -> None:
    told = page(api, f"?job={imported}")
    assert "<img src=x" not in told
    assert "&lt;img src=x onerror=alert(1)&gt;&#34;&#39;&amp;lt;" in told


def test_a_job_is_found_where_its_state_is_asked_for(api: Api, imported: str) -> None:
    found = {
        group: f'data-job="{imported}"' in page(api, f"?show={group}") for group in ("all", "open", "done", "failed")
    }
    assert found == {"all": True, "open": False, "done": True, "failed": False}
    assert f'data-job="{imported}"' in page(api, "?show=unknown")


def test_a_token_sees_the_jobs_of_its_collections_and_what_it_may_do(api: Api, imported: str) -> None:
    own = tokens.create(api.context, [Scope.READ], [api.collection]).token
    shown = page(api, f"?job={imported}", token=own)
    assert f'data-job="{imported}"' in shown
    assert "data-change" not in shown
    assert 'id="new-import"' not in shown
    assert "data-change" in page(api, f"?job={imported}")
    other = collections.create(api.context, f"{api.collection}-other", "photo")
    stranger = tokens.create(api.context, [Scope.WRITE], [other.name]).token
    assert f'data-job="{imported}"' not in page(api, "", token=stranger)
    assert asked(api, f"?job={imported}", token=stranger).status_code == 404


def test_jobs_that_are_not_there(api: Api) -> None:
    missing = asked(api, "?job=999999")
    assert missing.status_code == 404
    assert "There is no job 999999" in missing.get_data(as_text=True)
    assert asked(api, f"?job={'9' * 30}").status_code == 404
    assert 'id="details"' not in page(api, "?job=abc")
    assert asked(api, "?job=%C2%B2").status_code == 200  # a digit, but of no number
    fresh = collections.create(api.context, f"{api.collection}-fresh", "photo")
    empty = page(api, "", token=tokens.create(api.context, [Scope.READ], [fresh.name]).token)
    assert "No jobs here" in empty
    assert "lookalike import shop photos.zip" in empty
