"""What hosts gave to ask with whether a picture has changed, by URL."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from app.db.engine import Database
from app.db.loader import query
from app.domain.fetching import Validators


class Known(NamedTuple):
    """What was fetched of a URL: its SHA-256, and what its host gave to ask with whether it has changed."""

    digest: bytes
    validators: Validators


def known(db: Database, urls: Sequence[bytes]) -> dict[bytes, Known]:
    """Return what is known of URLs, each by its SHA-256, of those of which something is."""
    rows = db.all(query("fetched", "known").render(), {"urls": list(urls)})
    return {
        bytes(row["url"]): Known(bytes(row["digest"]), Validators(bytes(row["place"]), row["etag"], row["modified"]))
        for row in rows
    }


def note(db: Database, fetched: Mapping[bytes, Known]) -> None:
    """Note what was fetched, by the SHA-256 of its URL."""
    urls = sorted(fetched)  # in one order, so that two imports wait for each other at most
    values = {
        "urls": urls,
        "places": [fetched[url].validators.place for url in urls],
        "digests": [fetched[url].digest for url in urls],
        "etags": [fetched[url].validators.etag for url in urls],
        "modified": [fetched[url].validators.modified for url in urls],
    }
    db.write(lambda one: one.execute(query("fetched", "note").render(), values), aside=True)


def forget(db: Database, days: int) -> None:
    """Forget URLs that no import has met for so many days."""
    db.write(lambda one: one.execute(query("fetched", "forget").render(), {"days": days}), aside=True)
