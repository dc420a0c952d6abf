"""Work that a request begins and does not wait for."""

import _thread
import logging
from collections.abc import Callable

log = logging.getLogger(__name__)


def begin(work: Callable[..., object], *given: object) -> bool:
    """Call a function on a thread of its own; say whether that was begun.

    `threading.Thread.start` waits until its thread says that it has begun. One that has no memory ends without a word,
    and the request that started it was never answered. Here nobody waits, and the thread has no name.
    """
    try:
        _thread.start_new_thread(work, given)
    except (RuntimeError, MemoryError) as error:  # the system gives no more threads
        log.warning("%s was not begun: %s", work.__name__.lstrip("_"), error or "there is no memory")
        return False
    return True
