"""Whole records as lines of JSON, from which an import makes the same records again."""

import base64

from app.db.exporting import Whole
from app.domain.collections import Collection
from app.domain.jsontext import dumps


def embedding_head(collection: Collection) -> bytes:
    """Return how the `_embedding` of a collection's records begins: model and revision, up to the vector."""
    model = {"model": collection.model, "revision": collection.model_revision}
    return dumps(model).encode()[:-1] + b',"vector":'


def line(whole: Whole, head: bytes, more: bytes = b"") -> bytes:
    """Return a record as a line: its attributes, box, picture and vector, as far as they are there.

    `head` is that of `embedding_head`; `more` are other fields as JSON, each with a comma before it.
    """
    text = whole.found.json()[:-1] + more
    if whole.box is not None:
        text += b',"_box":' + dumps(whole.box).encode()
    if whole.picture is not None:
        text += b',"_base64":"' + base64.b64encode(whole.picture) + b'"'
    if whole.embedding is not None:
        text += b',"_embedding":' + head + whole.embedding.encode() + b"}"
    return text + b"}\n"
