"""What the document says of each parameter: the types come from the pydantic models, the sentences from here."""

from typing import Any

from pydantic.json_schema import models_json_schema

from app.api.methods import METHODS
from app.api.openapi_answers import Schema, ref
from app.api.parsing import Parameters
from app.api.v2.listing import PageParameters
from app.domain.facets import MAX_BINS, MAX_FACETS, MAX_VALUES
from app.services.texts import MAX_CHARACTERS

# Parameters of the query string, which a method reads beside its body.
QUERY_STRINGS: dict[str, type[Parameters]] = {"allRecords": PageParameters}

_EFFORT = {
    "description": "How hard to look, 1 to 1000: more is slower and misses less. A hint; leave it out if in doubt."
}
_RADIUS = {"description": "Largest distance of a record of the answer, inclusive."}
_ID_RECORDS = {"type": "array", "items": ref("RecordId"), "minItems": 1}
_NEW_RECORDS = {"type": "array", "items": ref("Record"), "minItems": 1}

# What is said of a parameter, by its name alone or, where that differs, by `<class of the parameters>.<name>`.
# Parts that the models cannot know are merged into their schemas.
WORDING: dict[str, Schema] = {
    "InsertParameters.records": {
        **_NEW_RECORDS,
        "description": "The records to store, 10 at most unless the server allows more. A record without an `_id` "
        "gets one.",
    },
    "extract_tags": {
        "description": "Whether tags are made of the pictures of a fashion collection, into `_tags_simple` of records "
        "that have none. Left out: where its model knows texts. Where they cannot be made, `statistics.tags` says why.",
    },
    "extract_colors": {
        "description": "Whether the main colours of each picture are stored, in `_colors` of records that have none: "
        'a list of `{"name", "hex", "share"}`, the largest share first.',
    },
    "UpdateParameters.records": {
        **_ID_RECORDS,
        "description": "The records to change, by `_id`, each with the attributes to set; null removes an attribute.",
    },
    "RankParameters.records": {
        **_NEW_RECORDS,
        "description": "The records to rank: stored ones by `_id`, or pictures, mixed; nothing is stored.",
    },
    "records": {**_ID_RECORDS, "description": "The records, by `_id`."},
    "query_record": {
        "$ref": "#/components/schemas/QueryRecord",
        "description": "What to compare with: a stored record by `_id`, a picture, or a text.",
    },
    "query_records": {
        "type": "array",
        "items": ref("QueryRecord"),
        "minItems": 1,
        "description": "What to compare with: stored records by `_id`, pictures, texts, mixed.",
    },
    "fields_to_return": {
        "description": 'Fields of each record in the answer. The `_id` always is there; `"*"` means all but `_base64`.'
    },
    "filter": {"$ref": "#/components/schemas/Filter", "description": "Only records that satisfy this filter."},
    "DeleteByFilterParameters.filter": {
        "$ref": "#/components/schemas/Filter",
        "description": "The records to delete. It must be there; `{}` deletes every record.",
    },
    "k": {"description": "Number of records wanted at most."},
    "RangeParameters.k": {"description": "Number of records wanted at most; left out: all of them."},
    "RankParameters.k": {"description": "Number of records wanted at most; left out: all of them."},
    "from": {"description": "Number of records to skip at the beginning, as when turning pages."},
    "radius": _RADIUS,
    "NearDupsInsertParameters.radius": {"description": "Distance up to which two records are near duplicates."},
    "NearDuplicatesParameters.radius": {"description": "Distance up to which two records are near duplicates."},
    "product_field": {
        "description": "Name of a field of which each value is answered once: its nearest record. Left out: that of "
        'the collection, if it has one; `""`: none.'
    },
    "cand_set_size": _EFFORT,
    "approx_param": _EFFORT,
    "exact": {
        "description": "Compare every record that matches, whatever it costs: nothing is missed. Left out, the way is "
        "chosen, and `statistics.search` says which."
    },
    "aggregation": {"description": "How the distances to several query records become one."},
    "tags_weight": {"description": "Share of the tags in the distance, 0 (pictures alone) to 1 (tags alone)."},
    "facets": {
        "type": "array",
        "items": ref("FacetRequest"),
        "minItems": 1,
        "maxItems": MAX_FACETS,
        "description": "Fields whose values are counted over all records that match the filter.",
    },
    "FindParameters.count": {"description": "Whether the number of all records that match is answered, `total_count`."},
    "limit": {"description": "Number of records wanted at most."},
    "count": {"description": "Number of records wanted."},
    "output_file_name": {
        "description": "Plain name of a file on the server that the records are written to, a line each; "
        "only if `delete_file_after` is false."
    },
    "delete_file_after": {"description": "Whether the file is deleted at the end, and so is not written at all."},
    "size": {"minimum": 1, "description": "Records a page; left out: all records, streamed."},
    "page": {"minimum": 1, "description": "Number of the page, from 1; the `next` link is quicker."},
    "cursor": {"description": "Place in the listing, as the links `next` and `previous` carry it."},
}

_PICTURE: Schema = {
    "_url": {"type": "string", "description": "URL of the picture."},
    "_file": {"type": "string", "description": "Path of the picture on the server, where it has a folder for that."},
    "_base64": {"type": "string", "description": "The picture itself, as base64."},
}
_ID: Schema = {"type": "string", "minLength": 1, "maxLength": 1024, "description": "Id, unique in the collection."}
_BOX: Schema = {
    "type": "array",
    "items": {"type": "integer"},
    "minItems": 4,
    "maxItems": 4,
    "description": "Part of the picture to look at: [left, top, right, bottom] in pixels.",
}
_TEXT: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_CHARACTERS,
    "description": "What the pictures should show, in words, instead of a picture; where the collection's model knows "
    "texts. A text that is longer than the model reads is refused, never cut.",
    "examples": ["red summer dress"],
}
_TAGS: Schema = {"description": "Labels, an array of strings.", "examples": [["dresses", "polka dot"]]}

_FACET: Schema = {
    "field": {"type": "string", "description": "The field, by its dotted name; of lists every element is counted."},
    "name": {"type": "string", "description": "Name of the facet in the answer; left out: the field."},
    "limit": {
        "type": "integer",
        "minimum": 1,
        "maximum": MAX_VALUES,
        "default": 20,
        "description": "Number of values listed at most, beside those that are selected.",
    },
    "min_count": {"type": "integer", "minimum": 1, "default": 1, "description": "Only values with this many records."},
    "prefix": {"type": "string", "description": "Only strings that begin so; upper and lower case differ."},
    "histogram": {
        "type": "object",
        "properties": {"bins": {"type": "integer", "minimum": 1, "maximum": MAX_BINS}},
        "required": ["bins"],
        "additionalProperties": False,
        "description": "Counts numbers in so many equally wide ranges from the least to the greatest.",
    },
    "ranges": {
        "type": "array",
        "items": {"type": "number"},
        "minItems": 1,
        "maxItems": MAX_BINS,
        "description": "Counts numbers in the ranges between these ascending bounds; the first and the last are open.",
    },
    "exclude_own": {
        "type": "boolean",
        "default": False,
        "description": "Whether the filter's own condition on this field does not count for this facet.",
    },
}

RECORD_SCHEMAS: dict[str, Schema] = {
    "FacetRequest": {
        "description": "The name of a field, or an object that says more.",
        "anyOf": [
            {"type": "string", "minLength": 1},
            {"type": "object", "properties": _FACET, "required": ["field"], "additionalProperties": False},
        ],
    },
    "Record": {
        "type": "object",
        "description": "A picture and its attributes. Any further field is an attribute: any JSON value, for filters.",
        "properties": {"_id": _ID, **_PICTURE, "_box": _BOX, "tags": _TAGS},
    },
    "RecordId": {
        "type": "object",
        "description": "A stored record by its id.",
        "properties": {"_id": _ID},
        "required": ["_id"],
    },
    "QueryRecord": {
        "type": "object",
        "description": "The stored record of this `_id`; else the picture of `_base64`, `_url` or `_file`, "
        "the first of them that is given. Or, by itself, a text.",
        "properties": {"_id": _ID, **_PICTURE, "_text_data": _TEXT, "_box": _BOX, "tags": _TAGS},
    },
    "Filter": {
        "type": "object",
        "description": "A condition in the language of MongoDB's `find()`. The value `{TAKE_FROM_QUERY}` stands for "
        "the query record's own.",
        "examples": [{"price": {"$gte": 200}}, {"$or": [{"color": "red"}, {"size": {"$in": ["S", "M"]}}]}],
    },
}


def parameter_schemas() -> dict[str, Schema]:
    """Return the schema of every parameter model, by class name, with that of every type it uses."""
    bodies = {entry.parameters for entry in METHODS.values() if entry.parameters.model_fields}
    models = bodies | set(QUERY_STRINGS.values())
    ordered = sorted(models, key=lambda model: model.__name__)
    _, whole = models_json_schema(
        [(model, "validation") for model in ordered], ref_template="#/components/schemas/{model}"
    )
    made: dict[str, Schema] = whole["$defs"]
    for model in ordered:
        _describe(made[model.__name__], model)
    for schema in made.values():
        schema.pop("title", None)
    return dict(sorted(made.items()))


def _describe(schema: Schema, model: type[Parameters]) -> None:
    required = schema.get("required", [])
    for name, own in schema.get("properties", {}).items():
        own.pop("title", None)
        described = _merged(_bounded(own), _wording(model, name))
        # Null counts as not given: allowed wherever leaving out is.
        schema["properties"][name] = described if name in required else _nullable(described)


def _bounded(schema: Schema) -> Schema:
    """Return a schema with its bounds in JSON Schema's words: behind a validator pydantic leaves them in its own."""
    schema = {{"ge": "minimum", "le": "maximum"}.get(key, key): value for key, value in schema.items()}
    if "anyOf" in schema:
        schema["anyOf"] = [_bounded(kind) for kind in schema["anyOf"]]
    return schema


def _wording(model: type[Parameters], name: str) -> Schema:
    for ancestor in model.__mro__:
        if (found := WORDING.get(f"{ancestor.__name__}.{name}")) is not None:
            return found
    return WORDING.get(name, {})


def _merged(own: Schema, wording: Schema) -> Schema:
    if "$ref" in wording:
        own = {key: value for key, value in own.items() if key == "default"}
    return {**own, **wording}


def _nullable(schema: Schema) -> Schema:
    """Return a schema that takes null as well; `anyOf` only where a type alone cannot say it."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key not in ("anyOf", "$ref")}
    if rest.get("default", ...) is None:
        del rest["default"]
    if "$ref" in schema:
        kinds = [{"$ref": schema["$ref"]}]
    if len(kinds) == 1 and "type" in kinds[0]:
        rest = {**kinds[0], **rest}
        kinds = []
    if kinds:
        return {"anyOf": [*kinds, {"type": "null"}], **rest}
    if "type" in rest:
        rest["type"] = [rest["type"], "null"]
    return rest


def query_parameters(method: str) -> list[dict[str, Any]]:
    """Return the parameters of a method's query string."""
    if method not in QUERY_STRINGS:
        return []
    properties = parameter_schemas()[QUERY_STRINGS[method].__name__]["properties"]
    return [_query_parameter(name, schema) for name, schema in properties.items()]


def _query_parameter(name: str, schema: Schema) -> dict[str, Any]:
    # In a query string there is no null.
    kind, _ = schema["type"]
    own = {key: value for key, value in schema.items() if key not in ("description", "type")}
    return {"name": name, "in": "query", "description": schema["description"], "schema": {"type": kind, **own}}
