"""Token buckets and the limiter, by a clock of the test's own."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from app.domain.errors import TooManyRequests
from app.domain.tokens import Limits, Principal, Scope
from app.metrics import Metrics
from app.services.limiting import Bucket, Limiter


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def holder(token_id: int = 1, **limits: float) -> Principal:
    return Principal(token_id, frozenset({Scope.READ}), None, Limits(**limits))  # type: ignore[arg-type]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limiter(clock: Clock) -> Limiter:
    return Limiter(Metrics(), clock)


def let_in(limiter: Limiter, principal: Principal, tries: int) -> int:
    done = 0
    for _ in range(tries):
        try:
            limiter.request(principal)
        except TooManyRequests:
            continue
        done += 1
    return done


@pytest.mark.parametrize(
    ("rate", "policy"), [(5, "q=5;w=1"), (2.5, "q=2;w=1"), (1, "q=1;w=1"), (0.3, "q=1;w=4"), (0.001, "q=1;w=1000")]
)
def test_a_bucket_tells_its_quota_in_whole_units(rate: float, policy: str) -> None:
    bucket = Bucket(rate, 0)
    assert bucket.policy == policy
    assert (bucket.left, bucket.more_in) == (int(max(1, rate)), 0)


@pytest.mark.parametrize("rate", [0.1, 0.7, 1.0, 3.0, 7.3, 25.0])
def test_no_more_than_the_rate_is_let_in(limiter: Limiter, clock: Clock, rate: float) -> None:
    """Over 100 seconds at three times the rate: what the bucket holds and what the time brings, but for a rest."""
    principal, let = holder(requests_per_second=rate), 0
    steps = round(300 * rate)
    for _ in range(steps):
        clock.now += 100 / steps
        let += let_in(limiter, principal, 1)
    assert 0 <= max(1.0, rate) + 100 * rate - let < 2


def test_who_waits_as_told_is_let_in(limiter: Limiter, clock: Clock) -> None:
    for rate in (0.001, 0.3, 1.0, 2.0, 10.0):
        principal = holder(token_id=round(rate * 1000), requests_per_second=rate)
        for _ in range(round(max(1.0, rate))):
            limiter.request(principal)
        with pytest.raises(TooManyRequests) as refused:
            limiter.request(principal)
        clock.now += refused.value.retry_after_seconds or 0
        limiter.request(principal)


def test_more_than_a_bucket_holds_passes_once_it_is_full_and_later_ones_wait(limiter: Limiter, clock: Clock) -> None:
    principal = holder(pictures_per_second=2)
    limiter.pictures(principal, 10)
    for after in (1, 3.9):
        clock.now += after - (clock.now - 1000)
        with pytest.raises(TooManyRequests, match="2 pictures a second"):
            limiter.pictures(principal, 1)
    assert limiter.headers(principal)["RateLimit"] == '"pictures";r=0;t=1'
    clock.now = 1004.5
    limiter.pictures(principal, 1)
    limiter.pictures(principal, 0)


def test_headers_tell_what_is_left(limiter: Limiter, clock: Clock) -> None:
    principal = holder(requests_per_second=3, pictures_per_second=0.1, concurrent_searches=2, body_bytes=1024)
    limiter.request(principal)
    limiter.pictures(principal, 1)
    with limiter.searching(principal):
        assert limiter.headers(principal) == {
            "RateLimit-Policy": '"requests";q=3;w=1, "pictures";q=1;w=10;qu="pictures", '
            '"searches";q=2;qu="concurrent-requests"',
            "RateLimit": '"requests";r=2;t=1, "pictures";r=0;t=10, "searches";r=1',
        }
    clock.now += 10
    assert limiter.headers(principal)["RateLimit"] == '"requests";r=3, "pictures";r=1, "searches";r=2'
    assert limiter.headers(holder(2, body_bytes=1024)) == {}


def test_retry_after_is_never_earlier_than_what_the_header_tells(limiter: Limiter) -> None:
    principal = holder(requests_per_second=0.1, concurrent_searches=1)
    limiter.request(principal)
    with limiter.searching(principal), pytest.raises(TooManyRequests) as refused, limiter.searching(principal):
        pass
    assert refused.value.retry_after_seconds == 10


def test_a_search_that_fails_is_over(limiter: Limiter) -> None:
    principal = holder(concurrent_searches=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), limiter.searching(principal):
            raise ZeroDivisionError
    with limiter.searching(principal):
        assert limiter.headers(principal)["RateLimit"] == '"searches";r=0'


def test_changed_limits_count_at_once_and_give_nothing_away(limiter: Limiter) -> None:
    assert let_in(limiter, holder(requests_per_second=10), 20) == 10
    assert let_in(limiter, holder(requests_per_second=100), 20) == 0, "a change fills no bucket"
    with limiter.searching(holder(concurrent_searches=5)):
        narrow = holder(concurrent_searches=1)
        with pytest.raises(TooManyRequests), limiter.searching(narrow):
            pass
    with limiter.searching(narrow):
        pass


def test_tokens_do_not_pay_for_each_other_and_time_does_not_go_back(limiter: Limiter, clock: Clock) -> None:
    assert let_in(limiter, holder(1, requests_per_second=5), 9) == 5
    assert let_in(limiter, holder(2, requests_per_second=5), 9) == 5
    clock.now -= 100
    assert let_in(limiter, holder(1, requests_per_second=5), 9) == 0
    clock.now += 101
    assert let_in(limiter, holder(1, requests_per_second=5), 9) == 5


def test_threads_together_get_no_more_than_one(limiter: Limiter) -> None:
    principal = holder(requests_per_second=500)
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _: let_in(limiter, principal, 250), range(8))) == 500
