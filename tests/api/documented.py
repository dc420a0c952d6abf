"""The examples of docs/api.md: what is sent, in which order, and how an answer is written down."""

import base64
import io
import json
import re
from dataclasses import dataclass
from typing import Any

from app.api.methods import METHODS, TAGS
from app.api.openapi import described, documented
from app.demo.catalogue import Product, catalogue

Json = Any

PRODUCTS = 100
COLLECTION, SERVICE, PREFIX = "demo", "products", "similarity/products"
HOST = "http://localhost:8000"
_WIDTH = 116
_LONGEST_TEXT, _LONGEST_LIST = 72, 6

HEAD = f"""# The API by example

A call of each method with its answer. This page is written by `make docs`, which sends these requests to the server,
and a test compares it, so it cannot be out of date. The collection holds the first {PRODUCTS} products of the catalogue
of `make demo`; there, each line without a picture works as it is printed once `TOKEN` is set (with four
times the products, neighbours and counts may be others; a record is changed or deleted once).

Put in place of what differs from call to call: `"OperationTime": 3`, `"SearchTime": 1.23`, the `request_id`, and
`TOKEN`.
`…` stands for what was left out: pictures, and the rest of long lists. Where a method is called under another
service, only the path differs; [compatibility](compatibility.md) has the services and the statuses,
[filters](filters.md) the filters, [text and tags](text-and-tags.md) the method `text`, `/docs` on the server every
parameter."""


@dataclass(frozen=True, slots=True)
class Example:
    """One call: the method, its body, its query string, and a sentence of its own."""

    method: str
    body: Json = None
    query: str = ""
    said: str = ""


def picture(product: Product, side: int = 128) -> str:
    """Return the picture of a product, its longest side so many pixels, as base64 of a PNG."""
    buffer = io.BytesIO()
    product.picture(side).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def examples() -> list[Example]:
    """Return the examples in the order in which they are sent: later ones see what earlier ones changed."""
    new = catalogue(PRODUCTS + 3)[PRODUCTS:]
    stored = catalogue(PRODUCTS)
    looks = [{"_id": "t-shirt-001"}, {"_id": "hat-001"}]
    return [
        Example("ping", said="Needs no token and no collection; also GET."),
        Example("getRecordCount", {}, said="Also GET."),
        Example(
            "insert",
            {
                "records": [
                    {"_id": "new-1", "_base64": picture(new[0]), "price": 35.5, "tags": ["new"]},
                    {"_id": "hat-001", "_base64": picture(new[1])},
                    {"_id": "new-2", "_base64": "bm8gcGljdHVyZQ=="},
                ]
            },
            said="The second `_id` is taken and the third record is no picture: the first is stored all the same.",
        ),
        Example(
            "nearDupsInsert",
            {
                "records": [
                    {"_id": "new-3", "_base64": picture(stored[4], 240), "price": 99},
                    {"_id": "new-4", "_base64": picture(new[2]), "price": 1.25},
                ],
                "fields_to_return": ["_id", "name", "price"],
            },
            said="The first record shows, smaller, the picture of a stored one.",
        ),
        Example(
            "upsert",
            {
                "records": [
                    {"_id": "new-1", "_base64": picture(new[0]), "price": 29.5, "tags": ["new", "sale"]},
                    {"_id": "new-5", "_base64": picture(new[2], 96), "price": 12},
                ],
                "fields_to_return": ["price", "tags"],
            },
            said="The first record is stored with this picture: its attributes are replaced. [Writing](writing.md).",
        ),
        Example("get", {"records": [{"_id": "hat-001"}]}),
        Example(
            "update",
            {
                "records": [
                    {"_id": "hat-001", "price": 30, "tags": None},
                    {"_id": "longsleeve-003", "_tags_simple": ["autumn", "red"]},
                    {"_id": "nobody", "price": 1},
                ],
                "fields_to_return": ["price", "tags", "_tags_simple"],
            },
            said="An attribute that is null is removed.",
        ),
        Example("delete", {"records": [{"_id": "dress-009"}, {"_id": "nobody"}]}),
        Example(
            "find",
            {
                "filter": {"price": {"$gte": 20, "$lt": 60}, "tags": "blue"},
                "fields_to_return": ["name", "price"],
                "limit": 3,
            },
        ),
        Example(
            "facets",
            {
                "facets": [{"field": "brand", "limit": 3, "exclude_own": True}, {"field": "price", "ranges": [20, 60]}],
                "filter": {"category": "hat"},
            },
            said="[Facets](facets.md) has every option.",
        ),
        Example(
            "random",
            {"count": 2, "filter": {"category": "hat"}, "fields_to_return": ["category"]},
            said="Which hats, and in which order, differs from call to call.",
        ),
        Example(
            "allRecords",
            {"filter": {"department": "accessories"}, "fields_to_return": ["_id", "brand"]},
            "size=2&page=2",
            "Without `size` every record is sent, as a stream. `answer_count` counts the whole collection.",
        ),
        Example(
            "deleteByFilter",
            {"filter": {"product_id": next(one.attributes["product_id"] for one in stored if one.id == "shoes-009")}},
            said="The pictures of one product; `{}` would delete every record.",
        ),
        Example(
            "visualKNN",
            {
                "query_record": {"_id": "longsleeve-007"},
                "k": 3,
                "filter": {"price": {"$lt": 100}},
                "fields_to_return": ["name", "price"],
            },
        ),
        Example(
            "visualKNN",
            {"query_record": {"_base64": picture(stored[5])}, "k": 2},
            said="With a picture in place of an `_id`; a `_url` works alike.",
        ),
        Example(
            "visualKNN",
            {
                "query_record": {"_id": "longsleeve-007"},
                "k": 2,
                "filter": {"price": {"$lt": 100}},
                "count": True,
                "facets": [{"field": "brand", "limit": 2}],
            },
            said="How many match, and their brands. [Refined searches](refined-searches.md) has the rest.",
        ),
        Example(
            "visualTagsKNN",
            {"query_record": {"_id": "longsleeve-007", "_tags_simple": ["autumn", "red"]}, "k": 3, "tags_weight": 0.5},
            said="The field of the tags depends on the service, here `_tags_simple`, given to `longsleeve-003` above.",
        ),
        Example(
            "visualKNNMulti",
            {"query_records": looks, "k": 2, "filter": {"category": {"$nin": ["hat", "t-shirt"]}}},
            said="Nearest by the mean of the distances.",
        ),
        Example("visualTagsKNNMulti", {"query_records": looks, "k": 3, "aggregation": "min"}),
        Example(
            "visualRankRecords",
            {
                "query_record": {"_id": "longsleeve-007"},
                "records": [{"_id": "longsleeve-007-resold"}, {"_id": "nobody"}],
            },
        ),
        Example(
            "visualTagsRankRecords",
            {
                "query_record": {"_id": "longsleeve-007"},
                "records": [{"_id": "hat-001"}, {"_id": "longsleeve-007-resold"}],
            },
        ),
        Example("range", {"query_record": {"_id": "longsleeve-007"}, "radius": 27.5}),
        Example(
            "nearDuplicates",
            {"query_record": {"_id": "longsleeve-007"}, "fields_to_return": ["seller", "price"]},
            said="[What counts as a near duplicate](near-duplicates.md).",
        ),
        Example("allNearDupPairs", {"filter": {"category": "longsleeve"}, "fields_to_return": ["seller"]}),
    ]


PATHS = {
    "/healthz": "The process answers.",
    "/readyz": "The server can serve: its database answers, and models were loaded (the log names one that cannot be). "
    "Otherwise 503, and the reason.",
    "/openapi.json": "Every method, parameter and status as OpenAPI 3.1; `/docs` shows the same as a page.",
}


def section(example: Example, answer: Json, *, first: bool) -> str:
    """Return one example as Markdown; the first of a method has the heading and the view's sentence."""
    method = example.method
    lines = []
    if first:
        said = "Say that the server is there." if method == "ping" else described(METHODS[method]).partition("\n\n")[0]
        scope = "" if method == "ping" else f" Needs a token that may {METHODS[method].scope.value}."
        lines += [f"### {method}", "", " ".join(said.split()) + scope, ""]
    if example.said:
        lines += [example.said, ""]
    return "\n".join([*lines, "```bash", _curl(example), "```", "", "```json", written(stable(example, answer)), "```"])


def group_of(example: Example) -> str:
    """Return the heading under which a method stands, as on the server's page."""
    return next(entry.tag for entry in documented() if entry.name == example.method)


def order() -> list[str]:
    """Return the groups in the order of the page."""
    return list(TAGS)


def _curl(example: Example) -> str:
    url = f"{HOST}/{PREFIX}/v2/{example.method}"
    if example.query:
        url = f"'{url}?{example.query}'"
    if example.method == "ping":
        return f"curl -s {url}"
    head = f"curl -s {url} -H \"Authorization: Token $TOKEN\" -H 'collection-id: {COLLECTION}'"
    return head + " \\\n  -d '" + written(example.body).replace("\n", "\n  ") + "'"


def path_section(path: str, answer: Json) -> str:
    """Return the section of a path that is no method."""
    if path == "/openapi.json":
        named = dict.fromkeys(list(answer["paths"])[:4], "…")
        left = {"…": f"{len(answer['paths']) - len(named)} more"}
        answer = {
            "openapi": answer["openapi"],
            "info": {"title": "Lookalike", "…": "…"},
            "paths": named | left,
            "…": "…",
        }
    lines = [f"### {path}", "", PATHS[path], "", "```bash", f"curl -s {HOST}{path}", "```", "", "```json"]
    return "\n".join([*lines, written(answer), "```"])


def stable(example: Example, answer: Json) -> Json:
    """Return an answer with stand-ins for what differs from call to call, and rounded distances."""
    made = json.loads(json.dumps(answer))
    made["status"]["request_id"] = "0b6f7c0e5a5f"
    made["statistics"]["OperationTime"] = 3
    if "SearchTime" in made["statistics"]:
        made["statistics"]["SearchTime"] = 1.23
    if "info" in made:
        made["info"] = re.sub(r"(?<=^Lookalike )[^:]+", "…", made["info"])
    if example.method == "random":
        for record in made["answer_records"]:
            record["_id"] = "hat-…"
    return _rounded(made)


def _rounded(value: Json) -> Json:
    if isinstance(value, dict):
        return {
            key: [round(one, 2) for one in own] if key == "answer_distances" else _rounded(own)
            for key, own in value.items()
        }
    return [_rounded(one) for one in value] if isinstance(value, list) else value


def shortened(value: Json) -> Json:
    """Return a value with the middle of long texts and lists left out, visibly."""
    if isinstance(value, dict):
        kept = {key: shortened(own) for key, own in list(value.items())[:12]}
        return kept if len(value) <= 12 else {**kept, "…": f"{len(value) - 12} more"}
    if isinstance(value, list):
        kept_items = [shortened(one) for one in value[:_LONGEST_LIST]]
        return kept_items if len(value) <= _LONGEST_LIST else [*kept_items, f"… {len(value) - _LONGEST_LIST} more"]
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9+/]{200,}=*", value):
        return f"{value[:16]}… {len(value)} characters"
    return value


def written(value: Json) -> str:
    """Return JSON as a person would write it: on one line where it fits."""
    return _written(shortened(value), 0)


def _written(value: Json, indent: int) -> str:
    line = json.dumps(value, ensure_ascii=False)
    if len(line) + indent <= _WIDTH or not isinstance(value, dict | list) or not value:
        return line
    inside = " " * (indent + 2)
    if isinstance(value, dict):
        parts = [
            f"{inside}{json.dumps(key, ensure_ascii=False)}: {_written(own, indent + 2)}" for key, own in value.items()
        ]
        return "{\n" + ",\n".join(parts) + "\n" + " " * indent + "}"
    parts = [inside + _written(one, indent + 2) for one in value]
    return "[\n" + ",\n".join(parts) + "\n" + " " * indent + "]"
