"""Python's garbage collector in a process that serves."""

import gc

from app import create_context
from app.cli.collector import leave_out_what_stays
from app.config import Settings


def test_what_is_there_and_models_are_passed_over_by_the_collector() -> None:
    context = create_context(Settings(), "postgresql://nobody@localhost/none")
    gc.unfreeze()  # what was frozen once the tests were collected
    try:
        leave_out_what_stays(context)
        assert gc.get_freeze_count() > 10_000
        gc.unfreeze()
        context.models.get("phash")
        assert gc.get_freeze_count() > 10_000
        gc.unfreeze()
        context.models.get("phash")
        assert gc.get_freeze_count() == 0
    finally:
        gc.freeze()
        context.models.close()
