"""What looks after something now and then, in the background, as long as a context is open."""

import logging
import threading
from collections.abc import Callable

from app.domain.errors import LookalikeError
from app.services.context import Context

log = logging.getLogger(__name__)


def every(context: Context, seconds: float, name: str, look: Callable[[], object], failed: str) -> None:
    """Call a function every so many seconds on a thread of its own, until the context is closed.

    Args:
        context: the services.
        seconds: the pause before each call, the first one as well.
        name: of the thread.
        look: what is called; an error of ours, or a want of memory, is a warning in the log, and the next call is made
            all the same.
        failed: what the warning says was not done.

    """

    def watch() -> None:
        while not context.closed.wait(seconds):
            try:
                look()
            except (LookalikeError, MemoryError) as error:
                log.warning("%s: %s", failed, error)

    threading.Thread(target=watch, name=name, daemon=True).start()
