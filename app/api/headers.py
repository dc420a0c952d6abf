"""The headers that every answer carries, whoever writes it: set here and nowhere else."""

from typing import TypeVar

from werkzeug import Response

Answer = TypeVar("Answer", bound=Response)

# JSON is no page: a browser shall guess no other type, show it in no frame, run nothing in it, and keep no copy.
# The pages set a policy of their own, which stays.
COMMON = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}


def completed(answer: Answer) -> Answer:
    """Return an answer with those of the common headers that it does not set itself."""
    for name, value in COMMON.items():
        answer.headers.setdefault(name, value)
    return answer
