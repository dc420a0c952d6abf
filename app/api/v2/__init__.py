"""The methods of version 2. Importing the package registers them all in `app.api.methods.METHODS`."""

from app.api.v2 import collection, duplicates, listing, records, search

__all__ = ["collection", "duplicates", "listing", "records", "search"]
