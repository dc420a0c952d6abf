"""The trace that a request belongs to, by W3C's Trace Context: taken from `traceparent`, and answered with it."""

import re
import secrets
from dataclasses import dataclass

# Version ff is none; a trace or a span of zeros is none either. What a later version adds at the end is left aside.
_GIVEN = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")


@dataclass(frozen=True, slots=True)
class Trace:
    """A request's place in a trace, in hexadecimal digits: 32 of the trace, 16 of its own span, 2 of the flags."""

    trace_id: str
    span_id: str
    flags: str

    @property
    def header(self) -> str:
        """The value of `traceparent` for whoever comes after."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


def trace_of(given: str) -> Trace | None:
    """Return a new span of the trace that a `traceparent` names; None where it names none."""
    found = _GIVEN.fullmatch(given.strip())
    if found is None or (given.startswith("00-") and len(given.strip()) != 55):
        return None
    return Trace(found[1], secrets.token_hex(8), found[3])
