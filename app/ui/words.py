"""Figures as people read them."""

from datetime import datetime, timedelta

_STEPS = ((timedelta(days=2), "day"), (timedelta(hours=2), "hour"), (timedelta(minutes=2), "minute"))
_LENGTHS = {"day": 86_400, "hour": 3600, "minute": 60}


def ago(at: datetime, now: datetime) -> str:
    """Return how long ago something was: `3 days ago`, `just now`."""
    for least, name in _STEPS:
        if now - at >= least:
            return f"{(now - at).total_seconds() // _LENGTHS[name]:,.0f} {name}s ago"
    return "just now" if now - at < timedelta(minutes=1) else "a minute ago"


def lasting(seconds: float) -> str:
    """Return a duration: `850 µs`, `12 ms`, `3.4 s`, `5 minutes`, `2.5 hours`."""
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
