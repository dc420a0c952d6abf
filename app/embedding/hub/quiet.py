"""Keeping transformers from writing progress bars and remarks to the terminal."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Quiet:
    """A count of the threads that want transformers to be quiet, and its settings before the first of them.

    transformers has one verbosity for the whole process, so there is one such object for the process as well.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads = 0
        self._before: tuple[int, bool] = (0, False)

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Keep transformers quiet meanwhile; the last thread that leaves puts back what the first one found."""
        from transformers.utils import logging as transformers_logging  # noqa: PLC0415

        remarks: Any = transformers_logging
        with self._lock:
            if self._threads == 0:
                self._before = remarks.get_verbosity(), remarks.is_progress_bar_enabled()
                remarks.set_verbosity(logging.CRITICAL)
                remarks.disable_progress_bar()
            self._threads += 1
        try:
            yield
        finally:
            with self._lock:
                self._threads -= 1
                if self._threads == 0:
                    verbosity, bars = self._before
                    remarks.set_verbosity(verbosity)
                    if bars:
                        remarks.enable_progress_bar()


quiet = _Quiet()
