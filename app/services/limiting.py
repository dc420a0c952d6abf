"""What tokens ask for is held against their limits, in the memory of one server process (ADR 24)."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil, floor
from threading import Lock

from app.domain.errors import TooManyRequests
from app.domain.tokens import NO_LIMITS, Limits, Principal
from app.metrics import Metrics, families

_NOTHING = 1e-9  # what rounding leaves


class Bucket:
    """A token bucket (RFC 2697, section 3, with one bucket): it fills at a rate, and what arrives takes its share out.

    It holds what a second brings, and 1 at least. What needs more than it can hold passes when it is full and leaves
    it below 0, so that what comes later waits (as Guava's RateLimiter does): nothing waits for ever, and the rate is
    kept in the long run. Not safe for threads.

    Args:
        rate: units a second, above 0.
        now: the clock's time in seconds.

    """

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self.size = max(1.0, rate)
        self.level = self.size
        self._at = now

    def wait(self, amount: float, now: float) -> float:
        """Return in how many seconds so much is there, 0: now."""
        self.level = min(self.size, self.level + max(0.0, now - self._at) * self.rate)
        self._at = max(self._at, now)
        lacking = min(amount, self.size) - self.level
        return lacking / self.rate if lacking > _NOTHING else 0.0

    def take(self, amount: float) -> None:
        """Take out what was waited for."""
        self.level -= amount

    @property
    def policy(self) -> str:
        """The parameters of its item in the header `RateLimit-Policy`, in whole units and seconds."""
        return f"q={floor(self.size)};w={1 if self.rate >= 1 else ceil(1 / self.rate)}"

    @property
    def left(self) -> int:
        """Whole units that are there."""
        return max(0, floor(self.level + _NOTHING))

    @property
    def more_in(self) -> int:
        """Seconds until one unit more is there, whole ones; 0: it is full."""
        more = self.left + 1
        return 0 if more > self.size + _NOTHING else max(1, ceil((more - self.level) / self.rate - _NOTHING))


@dataclass
class _Use:
    """What one token has asked for lately."""

    limits: Limits
    buckets: dict[str, Bucket] = field(default_factory=dict)
    searches: int = 0


class Limiter:
    """Holds what tokens ask for against their limits; safe for threads.

    Only tokens with limits may be given: others cost nothing, as nobody asks here.

    Args:
        metrics: they count what is refused.
        clock: seconds that never go back.

    """

    def __init__(self, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._clock = clock
        self._lock = Lock()
        self._uses: dict[int, _Use] = {}

    def request(self, principal: Principal) -> None:
        """Let a request in.

        Raises:
            TooManyRequests: the token has sent too many.

        """
        self._take(principal, "requests", 1)

    def pictures(self, principal: Principal, number: int) -> None:
        """Let the pictures and texts of a request in.

        Raises:
            TooManyRequests: the token has sent too many.

        """
        if number:
            self._take(principal, "pictures", number)

    @contextmanager
    def searching(self, principal: Principal) -> Iterator[None]:
        """Count a search for as long as it runs.

        Raises:
            TooManyRequests: as many run for the token as may.

        """
        most = principal.limits.concurrent_searches
        with self._lock:
            use = self._use(principal)
            if most is not None and use.searches >= most:
                raise self._refused(use, "searches", f"{most} searches at the same time", 1.0)
            use.searches += 1
        try:
            yield
        finally:
            with self._lock:
                self._uses[principal.token_id].searches -= 1

    def refused(self, limit: str) -> None:
        """Count a request that a limit of its size refused: `body` or `batch`."""
        self._metrics.count(families.LIMIT_REFUSALS, limit)

    def headers(self, principal: Principal) -> dict[str, str]:
        """Return the headers that tell a token's quotas and what is left of them; none where it has no such limits.

        They are those of draft-ietf-httpapi-ratelimit-headers-10, in structured fields (RFC 9651).
        """
        policies, states = [], []
        with self._lock:
            use = self._use(principal)
            now = self._clock()
            for name, bucket in use.buckets.items():
                bucket.wait(0, now)
                unit = ';qu="pictures"' if name == "pictures" else ""
                policies.append(f'"{name}";{bucket.policy}{unit}')
                states.append(f'"{name}";r={bucket.left}' + (f";t={bucket.more_in}" if bucket.more_in else ""))
            most = principal.limits.concurrent_searches
            if most is not None:
                policies.append(f'"searches";q={most};qu="concurrent-requests"')
                states.append(f'"searches";r={max(0, most - use.searches)}')
        return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(states)} if policies else {}

    def _take(self, principal: Principal, name: str, amount: int) -> None:
        with self._lock:
            use = self._use(principal)
            bucket = use.buckets.get(name)
            if bucket is None:
                return
            wait = bucket.wait(amount, self._clock())
            if wait:
                raise self._refused(use, name, f"{bucket.rate:.15g} {name} a second", wait)
            bucket.take(amount)

    def _refused(self, use: _Use, limit: str, most: str, wait: float) -> TooManyRequests:
        self.refused(limit)
        # The draft has Retry-After lie no earlier than what the header RateLimit tells.
        seconds = max(1, ceil(wait - _NOTHING), *(bucket.more_in for bucket in use.buckets.values()))
        after = "a second" if seconds == 1 else f"{seconds} seconds"
        return TooManyRequests(f"this token may ask for {most} at most; try again in {after}", seconds)

    def _use(self, principal: Principal) -> _Use:
        """Return what a token has asked for; where its limits were changed, its buckets are made anew, no fuller."""
        use = self._uses.get(principal.token_id)
        if use is None:
            use = self._uses[principal.token_id] = _Use(NO_LIMITS)
        if use.limits != principal.limits:
            rates = {
                "requests": principal.limits.requests_per_second,
                "pictures": principal.limits.pictures_per_second,
            }
            former, now = use.buckets, self._clock()
            use.limits = principal.limits
            use.buckets = {name: Bucket(rate, now) for name, rate in rates.items() if rate is not None}
            for name in use.buckets.keys() & former.keys():
                use.buckets[name].level = min(use.buckets[name].size, former[name].level)
        return use
