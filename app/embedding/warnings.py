"""Warnings of libraries that say nothing to those who run the server."""

import warnings


def ignore_remarks(module: str, category: type[Warning] = Warning) -> None:
    """Ignore a library's warnings from now on, in all threads; `module` is how its modules' names begin (a pattern).

    `warnings.catch_warnings` is not for threads: each would put back the filters that another has just replaced.
    """
    first = warnings.filters[0] if warnings.filters else None
    known = first is not None and first[2] is category and getattr(first[3], "pattern", None) == module
    if not known:  # one that is there already is moved to the front, so that the list does not grow
        warnings.filterwarnings("ignore", category=category, module=module)
