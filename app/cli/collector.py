"""Python's garbage collector in a process that serves: it is to look at what comes and goes, not at what stays.

A full collection stops all threads while it looks at every object of the process: a hundred thousand of modules alone,
for a tenth of a second. An import makes so many objects that there is one every few seconds.
"""

import gc

from app.services.context import Context


def leave_out_what_stays(context: Context) -> None:
    """Have the collector pass over all that is there by now, and over the models once they are loaded."""
    _leave_out()
    context.models.loaded = _leave_out


def _leave_out() -> None:
    gc.collect()
    gc.freeze()
