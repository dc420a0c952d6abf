"""The blueprint of administration, `/admin/v1/…`: tokens, collections and aliases, as the command line has them.

A token of the scope `admin` that is for some collections alone looks after those; whatever could give it more than
it has, or others less, needs one for all collections.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from flask import Blueprint, jsonify, request

from app.api import admin_answers as answers
from app.api import admin_parameters as given_as
from app.api import operations_answers
from app.api.errors import failed
from app.api.openapi_parts import Document
from app.api.views import Call, View, add
from app.api.views_document import described
from app.domain.errors import Forbidden, InvalidRequest, MissingRights
from app.domain.moments import moment_of, while_of
from app.domain.tokens import NO_LIMITS, Limits, Scope
from app.services import (
    advising,
    aliases,
    collections,
    indexing,
    modelling,
    operations,
    overview,
    recalling,
    records,
    tokens,
)
from app.services.context import Context

PREFIX = "/admin/v1"
Body = dict[str, Any]
_ERRORS = {
    "400": "402: a parameter is missing or wrong, or what is asked for is not allowed; `error_description` says what.",
    "401": "No token, or one that is not known.",
    "403": "The token may not do this.",
    "404": "There is no such collection.",
    "413": "The body is larger than the server takes.",
    "503": "The database is away, or other work is in the way; Retry-After says for how long.",
}


def _of(facts: Mapping[str, Any], shape: type[Any]) -> Body:
    """Return the facts that the document names."""
    return {name: facts[name] for name in shape.__annotations__ if name in facts}


def list_tokens(call: Call, _: given_as.NoParameters) -> Body:
    """List the tokens: what is kept of each, which is everything but the token."""
    rows = [{**row, "own": row["id"] == call.principal.token_id} for row in tokens.listed(call.context)]
    return {"tokens": [_of(row, answers.Token) for row in rows]}


def create_token(call: Call, given: given_as.NewTokenParameters) -> Body:
    """Make a token, and answer it this once."""
    scopes = sorted(set(given.scopes))
    limits = Limits(**{name: getattr(given, name) for name in asdict(NO_LIMITS)})
    expires = _moment(given.expires)
    return _made(tokens.create(call.context, scopes, given.collections, given.label, expires_at=expires, limits=limits))


def change_token(call: Call, given: given_as.ChangedTokenParameters) -> Body:
    """Change the label, the expiry or the limits of a token."""
    changed = given.model_dump(exclude={"token", "unset"}, exclude_none=True)
    if both := sorted(changed.keys() & set(given.unset)):
        raise InvalidRequest(f"{both[0]} is both given and in unset")
    changed |= dict.fromkeys(map(str, given.unset))
    if "expires" in changed:
        changed["expires_at"] = _moment(changed.pop("expires"))
    tokens.change(call.context, given.token, changed)
    return {"id": given.token}


def rotate_token(call: Call, given: given_as.RotationParameters) -> Body:
    """Make a token in the place of another, with all that it may do, and answer it this once."""
    grace = while_of(given.grace, "grace")
    return _made(tokens.rotate(call.context, given.token, grace, _moment(given.expires)))


def _moment(text: str | None) -> datetime | None:
    return None if text is None else moment_of(text, "expires")


def _made(made: tokens.NewToken) -> Body:
    return {"id": made.id, "token": made.token, "expires_at": made.expires_at}


def revoke_token(call: Call, given: given_as.TokenParameters) -> Body:
    """Revoke a token for good."""
    tokens.revoke(call.context, given.token)
    return {"id": given.token, "seconds": call.context.settings.auth_cache_seconds}


def list_collections(call: Call, _: given_as.NoParameters) -> Body:
    """List the collections that the token may use, with their sizes."""
    rows = overview.of_all(call.context, overview.names(call.context, call.principal))
    return {"collections": [_of(row, answers.CollectionFacts) for row in rows]}


def create_collection(call: Call, given: given_as.NewCollectionParameters) -> Body:
    """Create a collection; its model is loaded first where it was never used."""
    facts = given.model_dump(exclude={"name", "service", "model"})
    made = collections.create(call.context, given.name, given.service.value, given.model, **facts)
    return _told(call, made.name)


def show_collection(call: Call, _: given_as.NoParameters) -> Body:
    """Tell all that is known of a collection, its records counted."""
    return _told(call, call.collection.name)


def set_collection(call: Call, given: given_as.ChangeParameters) -> Body:
    """Change settings of a collection; other servers follow within seconds."""
    changed = given.model_dump(exclude={"unset"}, exclude_none=True)
    if both := sorted(changed.keys() & set(given.unset)):
        raise InvalidRequest(f"{both[0]} is both given and in unset")
    collections.change(call.context, call.collection.name, {**changed, **dict.fromkeys(map(str, given.unset))})
    return _told(call, call.collection.name)


def _told(call: Call, name: str) -> Body:
    return {"collection": _of(overview.of(call.context, name), answers.WholeCollection)}


def drop_collection(call: Call, given: given_as.DropParameters) -> Body:
    """Drop a collection with all its records. There is no way back."""
    name = collections.to_drop(call.context, request.headers["collection-id"].strip()).name
    if given.confirm != name:
        raise InvalidRequest(f"confirm: it is not the name of the collection, {name!r}; nothing was dropped")
    number = records.count(call.context, call.collection)
    collections.drop(call.context, name)
    return {"dropped": name, "records": number}


def advise_collection(call: Call, _: given_as.NoParameters) -> Body:
    """Name the indexes that would help the logged searches of a collection; the values of fields are counted for it."""
    advised = advising.advise(call.context, call.collection)
    return {**asdict(advised), "logged": call.context.settings.log_searches}


def measure_collection(call: Call, given: given_as.MeasureParameters) -> Body:
    """Measure what share of the true neighbours the searches of a collection find."""
    found = recalling.measure(call.context, call.collection, sample=given.sample, k=given.k, filter_=given.filter)
    return {**asdict(found), "ways": {str(way): number for way, number in found.ways.items()}}


def list_models(call: Call, _: given_as.NoParameters) -> Body:
    """List the models that this server has."""
    return {"models": modelling.models(call.context)}


def estimate_collection(call: Call, given: given_as.ModelParameters) -> Body:
    """Estimate what it takes to make the vectors of a collection by another model; a sample is embedded for it."""
    found = asdict(modelling.estimate(call.context, call.collection, given.model))
    return {**found, "examples": [{"id": record_id, "reason": reason} for record_id, reason in found["examples"]]}


def drop_values(call: Call, given: given_as.FieldParameters) -> Body:
    """Take the indexes of single values of an attribute away; that of the attribute itself stays."""
    return {"dropped": indexing.drop_values(call.context, call.collection, given.field)}


def list_aliases(call: Call, _: given_as.NoParameters) -> Body:
    """List the aliases of the collections that the token may use."""
    seen = set(overview.names(call.context, call.principal))
    return {"aliases": [row for row in aliases.listed(call.context) if row["collection"] in seen]}


def set_aliases(call: Call, given: given_as.AliasesParameters) -> Body:
    """Make names lead to collections, all in one transaction."""
    return {"switched": [asdict(one) for one in aliases.set_all(call.context, given.aliases)]}


def delete_alias(call: Call, given: given_as.AliasParameters) -> Body:
    """Remove an alias; its collection stays."""
    aliases.drop(call.context, given.alias)
    return {"deleted": given.alias}


def show_operations(call: Call, _: given_as.NoParameters) -> Body:
    """Tell how everything does: what is wrong, traffic, database, indexes, jobs, backups, replicas, the audit log."""
    return operations.state(call.context, call.principal)


def list_audit(call: Call, given: given_as.AuditParameters) -> Body:
    """List who changed what, the latest first."""
    found = call.context.audit.entries(
        call.principal, token_id=given.token, collection=given.collection, before=given.before, most=given.size
    )
    return {"entries": found, "next": found[-1]["id"] if len(found) == given.size else None}


_ADMIN, _READ = Scope.ADMIN, Scope.READ
_EVERYWHERE = {"of_collection": False, "of_all": True}
VIEWS: dict[str, View] = {
    "tokens": View(_ADMIN, given_as.NoParameters, list_tokens, answers.TokensAnswer, **_EVERYWHERE),
    "tokens/create": View(_ADMIN, given_as.NewTokenParameters, create_token, answers.NewTokenAnswer, **_EVERYWHERE),
    "tokens/change": View(
        _ADMIN, given_as.ChangedTokenParameters, change_token, answers.ChangedTokenAnswer, **_EVERYWHERE
    ),
    "tokens/rotate": View(_ADMIN, given_as.RotationParameters, rotate_token, answers.NewTokenAnswer, **_EVERYWHERE),
    "tokens/revoke": View(_ADMIN, given_as.TokenParameters, revoke_token, answers.RevokedAnswer, **_EVERYWHERE),
    "collections": View(_READ, given_as.NoParameters, list_collections, answers.CollectionsAnswer, of_collection=False),
    "collections/create": View(
        _ADMIN, given_as.NewCollectionParameters, create_collection, answers.CollectionAnswer, **_EVERYWHERE
    ),
    "collection": View(_READ, given_as.NoParameters, show_collection, answers.CollectionAnswer),
    "collection/set": View(_ADMIN, given_as.ChangeParameters, set_collection, answers.CollectionAnswer),
    "collection/drop": View(_ADMIN, given_as.DropParameters, drop_collection, answers.DroppedAnswer),
    "collection/advise": View(_ADMIN, given_as.NoParameters, advise_collection, answers.AdviceAnswer),
    "collection/measure": View(_ADMIN, given_as.MeasureParameters, measure_collection, answers.MeasuredAnswer),
    "collection/estimate": View(_ADMIN, given_as.ModelParameters, estimate_collection, answers.EstimateAnswer),
    "models": View(_READ, given_as.NoParameters, list_models, answers.ModelsAnswer, of_collection=False),
    "collection/drop-values": View(_ADMIN, given_as.FieldParameters, drop_values, answers.IndexesDroppedAnswer),
    "operations": View(
        _ADMIN, given_as.NoParameters, show_operations, operations_answers.OperationsAnswer, **_EVERYWHERE, reads=True
    ),
    "audit": View(
        _ADMIN, given_as.AuditParameters, list_audit, operations_answers.AuditAnswer, **_EVERYWHERE, reads=True
    ),
    "aliases": View(_READ, given_as.NoParameters, list_aliases, answers.AliasesAnswer, of_collection=False),
    "aliases/set": View(_ADMIN, given_as.AliasesParameters, set_aliases, answers.SwitchedAnswer, **_EVERYWHERE),
    "aliases/delete": View(_ADMIN, given_as.AliasParameters, delete_alias, answers.AliasDeletedAnswer, **_EVERYWHERE),
}
"""What the paths below the prefix do."""


def document(root: str = "") -> Document:
    """Return the OpenAPI document; `root` is the path below which the server is mounted."""
    said = "Tokens, collections and aliases are made, changed and taken away. docs/administration.md tells of it."
    return described("administration", said, f"{root}{PREFIX}", VIEWS, _ERRORS)


def admin(context: Context) -> Blueprint:
    """Return the blueprint of administration."""
    made = Blueprint("admin", __name__, url_prefix=PREFIX)
    made.add_url_rule("/openapi.json", "document", lambda: jsonify(document(request.script_root)), methods=["GET"])
    add(made, context, VIEWS)
    made.register_error_handler(MissingRights, lambda error: failed(Forbidden(str(error))))
    return made
