"""Taking a filter apart by field: what it asks of one field alone, and all the rest."""

from app.filters.jsonpath import steps_of
from app.filters.nodes import And, Compare, Const, Equals, Node, Not, OneOf, Or, Path, conj, disj


def split(node: Node, path: Path) -> tuple[Node, Node]:
    """Return the conditions of a filter that are about this field alone, and the others; together they are the filter.

    Only conditions that every match satisfies are taken out: the filter itself or members of its conjunction. Each is
    about the field alone if every path in it is `path`, as in `{"size": {"$in": [1, 2]}}` or in an `$or` of such.
    """
    children = node.children if isinstance(node, And) else (node,)
    of_field = [child for child in children if not isinstance(child, Const) and _only(child, path)]
    return conj(of_field), conj(child for child in children if child not in of_field)


def fields_asked(node: Node) -> tuple[frozenset[str], frozenset[str]]:
    """Return the top-level attributes that every match must have in a range of numbers, and those with one value."""
    children = node.children if isinstance(node, And) else (node,)
    ranges = {
        child.path[0]
        for child in children
        if isinstance(child, Compare) and len(child.path) == 1 and not isinstance(child.bound, bool | str)
    }
    values = {child.path[0] for child in children if isinstance(child, Equals | OneOf) and len(child.path) == 1}
    return frozenset(ranges) - {"_id"}, frozenset(values) - {"_id"}


def _only(node: Node, path: Path) -> bool:
    if isinstance(node, And | Or):
        return all(_only(child, path) for child in node.children)
    if isinstance(node, Not):
        return _only(node.child, path)
    return not isinstance(node, Const) and node.path == path


def lets_through(node: Node) -> Node:
    """Return the condition that one value of a field satisfies if the filter's conditions on the field choose it.

    A list may be asked to hold several values (`$all`), of which one value can be but one: any of them is chosen.
    """
    children = node.children if isinstance(node, And) else (node,)
    wanted = [child for child in children if isinstance(child, Equals) and child.value is not None]
    return conj([disj(wanted) if wanted else conj(()), *(child for child in children if child not in wanted)])


def value_at(path: Path, parameter: str) -> tuple[str, str]:
    """Return a field's value as SQL on the records `r`, and the value of its parameter.

    A field at the top of a record is taken as it stands. Of a dotted one it is the list of the single values: of each
    object in a list, of each list. The steps are those of a condition, so that what is counted of a value and what a
    filter finds by it agree.
    """
    if len(path) == 1:
        return f"r.attributes->%({parameter})s::text", path[0]
    return f"jsonb_path_query_array(r.attributes, %({parameter})s::jsonpath)", f"${steps_of(path)}[*]"
