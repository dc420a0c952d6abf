"""Settings of servers beside each other: processes, how they stop, and replicas."""

from pydantic import Field

from app.config.long_work import LongWork

_DAY = 86_400
MOST_WORKERS = 64
"""Processes that serve, at most."""


class SeveralServers(LongWork):
    """The part of the settings that is about more than one process or database server."""

    read_database_url: str | None = Field(
        default=None,
        description="Standbys of DATABASE_URL that requests which only read are answered from, as libpq reads it; with "
        "several hosts each connection picks a standby at random; unset: the primary answers all.",
    )
    read_wait_ms: int = Field(
        default=100,
        ge=0,
        le=60_000,
        description="Milliseconds that a read waits for a standby, for a connection or for what was written before; "
        "then the primary is read.",
    )
    read_only: bool = Field(
        default=False,
        description="Serve reads alone, as on a standby: writes are answered with 503, and nothing is upgraded, built, "
        "noted or logged in the database.",
    )
    workers: int | None = Field(
        default=None,
        ge=1,
        le=MOST_WORKERS,
        description="Processes that serve; unset: one for two cores, as far as there are 2 GiB of memory for each.",
    )
    drain_seconds: float = Field(
        default=0.0,
        ge=0,
        le=_DAY,
        description="Time at a stop for which requests are served on while /readyz says no, so that proxies send no "
        "more; twice the time between their looks.",
    )
    shutdown_seconds: int = Field(
        default=30, ge=1, le=_DAY, description="Time that running requests get to end at a stop."
    )
