"""Page tokens: where the next page of an ordered search begins, and of which search it is the next page.

A token holds the keys of the last record of its page, so that the next page begins after that record, whatever was
inserted or deleted meanwhile. It is no secret and gives no right: whoever makes one up gets a page of a search that he
may do anyway. A checksum over the search tells tokens apart that belong to another one.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import blake2b
from math import isfinite
from typing import Any

from app.domain.errors import InvalidRequest
from app.domain.jsontext import check_text, loads_stored
from app.domain.refinement import Boost, SortKey
from app.search.request import Query, Several, half

_BYTES = 12
_NOT_OURS = "page_token: is not one that this server gave"
# What PostgreSQL's type numeric holds: digits before the point, and after it.
_MOST_WHOLE, _MOST_DECIMALS = 131_072, 16_383


@dataclass(frozen=True, slots=True)
class PageTokens:
    """The tokens of one search.

    `types` are the SQL types of its keys: a token whose keys have others was not given for it.
    """

    query: Query
    sort: Sequence[SortKey]
    boosts: Sequence[Boost]
    types: Sequence[str]

    def write(self, keys: str) -> str:
        """Return the token of the page that begins after these keys, a list as the JSON text that the database gave."""
        body = f"[{self.query.collection.id:d},{self.query.collection.generation:d},{keys}]".encode()
        return base64.urlsafe_b64encode(self._sum(body) + body).decode().rstrip("=")

    def read(self, token: str) -> Sequence[Any]:
        """Return the keys in a token.

        Raises:
            InvalidRequest: it is not a token of this search; the message says whether it was one of another collection,
                or was given before the collection's vectors were made anew.

        """
        try:
            whole = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
            value = loads_stored(whole[_BYTES:].decode())
        except (binascii.Error, ValueError, ArithmeticError, InvalidRequest):
            raise InvalidRequest(_NOT_OURS) from None
        if not isinstance(value, list) or len(value) != 3:
            raise InvalidRequest(_NOT_OURS)
        collection, generation, keys = value
        if not isinstance(keys, list):
            raise InvalidRequest(_NOT_OURS)
        if collection != self.query.collection.id:
            raise InvalidRequest("page_token: belongs to a search in another collection")
        if generation != self.query.collection.generation:
            raise InvalidRequest(
                'page_token: is stale, as the collection\'s vectors were made anew; begin with page_token ""'
            )
        read = self._keys(keys)
        if self._sum(whole[_BYTES:]) != whole[:_BYTES] or read is None:
            raise InvalidRequest(
                "page_token: belongs to another search: query records and their stored vectors, filter, radius, sort,"
                " boost and product field must stay the same"
            )
        return read

    def _keys(self, keys: Sequence[Any]) -> list[Any] | None:
        """Return keys as values of their types; None where one is not, as the database would refuse it."""
        if len(keys) != len(self.types):
            return None
        try:
            return [None if key is None else _key(key, type_) for key, type_ in zip(keys, self.types, strict=True)]
        except (ValueError, OverflowError, InvalidRequest):
            return None

    def _sum(self, body: bytes) -> bytes:
        hashed = blake2b(body, digest_size=_BYTES)
        query = self.query
        hashed.update(repr((query.where.sql, sorted(query.where.params.items()))).encode())
        hashed.update(repr((query.radius, query.product_field, tuple(self.sort), tuple(self.boosts))).encode())
        if isinstance(query.what, Several):
            for point in query.what.points:
                hashed.update(half(point.vector).to_binary())
                hashed.update(repr((tuple(point.tags), point.weight)).encode())
            for vector in query.what.against:
                hashed.update(b"-" + half(vector).to_binary())
            hashed.update(repr((query.what.aggregation, query.what.tags_field)).encode())
        elif query.what is not None and not isinstance(query.what, str):
            hashed.update(half(query.what).to_binary())
        return hashed.digest()


def _key(key: object, type_: str) -> object:
    """Return a key as a value of its SQL type.

    Raises:
        ValueError, OverflowError, InvalidRequest: it is none.

    """
    if type_ == "text" and isinstance(key, str):
        check_text(key, "page_token")
        return key
    if not isinstance(key, int | Decimal) or isinstance(key, bool):
        raise ValueError(type_)
    if type_ == "integer" and isinstance(key, int) and abs(key) < 2**31:
        return key
    if type_ == "numeric":
        number = Decimal(key)
        least = number.as_tuple().exponent
        if number.adjusted() < _MOST_WHOLE and isinstance(least, int) and least >= -_MOST_DECIMALS:
            return number
    if type_ == "double precision" and isfinite(wide := float(key)):
        return wide
    raise ValueError(type_)
