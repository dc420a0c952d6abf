"""Settings: every one an environment variable with the prefix `LOOKALIKE_` (and `DATABASE_URL` without it)."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, Field, ValidationError
from pydantic_settings import NoDecode, SettingsConfigDict

from app.config import sentences
from app.config.several_servers import SeveralServers
from app.config.values import FilePath, Network, Origin, Port, lower, parts
from app.domain.errors import ConfigurationError
from app.domain.options import FetchPolicy, ImageLimits, ModelOptions, Patience
from app.domain.recall import RECALL_TARGET

_MOST = 2**31 - 1  # what PostgreSQL's integers hold
_DAY = 86_400


class Settings(SeveralServers):
    """The choices of a deployment. They are read once at start, passed down, and never changed.

    A variable that is empty counts as unset.

    Raises:
        ConfigurationError: a value is not allowed; the message names the variable, the value, and what is allowed.

    """

    model_config = SettingsConfigDict(
        env_prefix=sentences.PREFIX,
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        allow_inf_nan=False,
        validate_default=True,
    )

    home: FilePath = Field(
        default=Path("~/.lookalike"),
        description="Folder of what the embedded database, the server and the demo write, but for models and exports "
        "that have a folder of their own.",
    )
    database_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("DATABASE_URL", "LOOKALIKE_DATABASE_URL", "database_url"),
        description="PostgreSQL to use, as libpq reads it: a URL or name=value, also of several hosts; unset: the "
        "embedded one, under LOOKALIKE_HOME.",
    )
    embedded_port: int | None = Field(
        default=None,
        ge=1,
        le=65_535,
        description="Port of 127.0.0.1 on which the embedded database takes the logins that `lookalike db reader` "
        "makes, with their passwords; unset: it listens on a Unix socket only.",
    )
    admin_database_url: str | None = Field(
        default=None,
        description="The same database as the schema's owner, past any pooler: for upgrades, index builds and the "
        "command line; unset: DATABASE_URL.",
    )
    pooler: Literal["auto", "none", "transaction"] = Field(
        default="auto",
        description="Whether DATABASE_URL leads through a pooler: none, transaction (one in transaction mode, as "
        "pgbouncer's), or auto (find out at the first connection).",
    )
    auto_upgrade: bool = Field(
        default=True,
        description="Bring the database schema up to date: the server at its start, and commands that change "
        "something; where false, they say what to run.",
    )

    host: str = Field(default="127.0.0.1", description="Address that the server listens on.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port that the server listens on.")
    threads: int = Field(default=8, ge=1, le=256, description="Requests served at the same time by one process.")
    queue_requests: int = Field(
        default=128,
        ge=0,
        le=_MOST,
        description="Requests that may wait for a thread before others are answered with 503.",
    )
    queue_seconds: float = Field(
        default=5.0, gt=0, le=_DAY, description="Time that a request waits for a thread before it is answered with 503."
    )
    client_seconds: float = Field(
        default=10.0,
        ge=0.1,
        le=_DAY,
        description="Time after which a request that comes no further is given up; answers likewise.",
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(lower)] = Field(
        default="info", description="debug, info, warning or error."
    )
    log_format: Literal["json", "text"] = Field(
        default="json", description="Form of the server's log: json (a line each) or text (for people)."
    )

    metrics: Literal["token", "open", "off"] = Field(
        default="token",
        description="Who may read /metrics: token (one with the scope admin for all collections), open (everybody), or "
        "off (nobody; nothing is counted).",
    )
    metrics_port: int | None = Field(
        default=None,
        ge=1,
        le=65_535,
        description="Port of LOOKALIKE_HOST on which /metrics is open to everybody, and no longer on the server's; "
        "unset: it is on the server's.",
    )
    worker_metrics_port: int | None = Field(
        default=None,
        ge=1,
        le=65_535,
        description="Port of LOOKALIKE_HOST on which lookalike worker opens /metrics to everybody; unset: nowhere.",
    )
    pool_connections: int = Field(default=8, ge=1, le=200, description="Database connections of one process at most.")
    pool_timeout_seconds: float = Field(
        default=5.0,
        gt=0,
        le=_DAY,
        description="Wait for a free database connection before a request is answered with 503.",
    )
    statement_timeout_ms: int = Field(
        default=30_000, ge=100, le=_MOST, description="Longest time one SQL statement may take."
    )
    auth_cache_seconds: float = Field(
        default=5.0,
        ge=0,
        le=300,
        description="How long tokens and collections are cached; where changes cannot be heard of (a pooler in "
        "transaction mode), a revoked token may work for this long.",
    )

    audit_days: int = Field(
        default=90,
        ge=0,
        le=36_500,
        description="Days for which the audit log keeps who changed what; 0: nothing is noted.",
    )

    max_batch: int = Field(default=10, ge=1, le=1000, description="Records in one insert request at most.")
    max_records: int = Field(
        default=1000, ge=1, le=100_000, description="Records in one get, delete, update or rank request at most."
    )
    max_queries: int = Field(default=100, ge=1, le=1000, description="Query records of one Multi search at most.")
    max_pair_records: int = Field(
        default=200_000,
        ge=1,
        le=_MOST,
        description="Records among which one allNearDupPairs request looks for pairs at most.",
    )
    max_k: int = Field(
        default=100_000, ge=1, le=_MOST, description="Records that a search may look through: `from` + `k`."
    )
    max_body_bytes: int = Field(default=64 * 2**20, ge=1024, le=_MOST, description="Size of a request body at most.")
    max_attributes_bytes: int = Field(
        default=256 * 2**10, ge=1024, le=_MOST, description="Size of one record's attributes, as JSON, at most."
    )
    unknown_parameters: Literal["ignore", "refuse"] = Field(
        default="ignore",
        description="What becomes of a request with a parameter that the method does not know: ignore (it is named in "
        "`statistics.ignored`) or refuse (402).",
    )
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/?#]+[^\s?#]*$",
        json_schema_extra={"allowed": "an http:// or https:// URL without a query"},
        description="URL that clients reach the server by, with the path of a proxy before it; unset: as they call it, "
        "and relative links through proxies.",
    )

    cors_origins: Annotated[tuple[Origin, ...], NoDecode, BeforeValidator(parts)] = Field(
        default=(),
        description="Origins whose pages may call the API from a browser, separated by commas, as "
        "`https://shop.example`; `*`: all; unset: none but the server's own.",
        json_schema_extra={"allowed": "origins as https://shop.example, separated by commas, or *"},
    )
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(parts)] = Field(
        default=(),
        description="Addresses and networks of the proxies whose X-Forwarded-For, -Proto and -Host are believed, "
        "separated by commas; unset: nobody's are.",
        json_schema_extra={"allowed": "addresses and networks as 127.0.0.1,10.0.0.0/8, separated by commas"},
    )

    max_image_bytes: int = Field(
        default=20 * 2**20, ge=1024, le=_MOST, description="Size of one encoded picture at most."
    )
    max_image_pixels: int = Field(default=64_000_000, ge=1, le=_MOST, description="Pixels of one picture at most.")
    files_root: FilePath | None = Field(
        default=None, description="Folder under which `_file` is opened; unset: it is never opened."
    )
    uploads_folder: FilePath | None = Field(
        default=None,
        description="Folder that files for imports are sent to; unset: `uploads` in LOOKALIKE_HOME. Servers and "
        "workers on several machines need one that all of them see.",
    )
    max_upload_bytes: int = Field(
        default=2**36,
        ge=1024,
        le=2**50,
        description="Size of a file that is sent for an import, or fetched for one, at most.",
    )
    fetch_ports: Annotated[tuple[Port, ...], NoDecode, BeforeValidator(parts)] = Field(
        default=(80, 443),
        description="Ports that a `_url` may name, separated by commas (or as JSON).",
        json_schema_extra={"allowed": "ports from 1 to 65,535, separated by commas"},
    )
    fetch_allow_private: bool = Field(
        default=False, description="Let `_url` reach private and loopback addresses (pictures of one's own network)."
    )
    fetch_connect_timeout_seconds: float = Field(
        default=5.0, gt=0, le=_DAY, description="Time to reach a `_url`'s host."
    )
    fetch_timeout_seconds: float = Field(default=20.0, gt=0, le=_DAY, description="Time for one download, all in all.")
    fetch_max_redirects: int = Field(default=3, ge=0, le=20, description="Redirects followed for one `_url`.")
    fetch_workers: int = Field(default=32, ge=1, le=256, description="Downloads at the same time in one process.")
    fetch_host_workers: int = Field(
        default=8,
        ge=1,
        le=256,
        description="Downloads from one host at the same time, so that one that does not answer leaves others theirs.",
    )
    fetch_retries: int = Field(
        default=4,
        ge=0,
        le=100,
        description="Further tries of an import at a URL whose host is busy or cannot be reached.",
    )
    fetch_backoff_seconds: float = Field(
        default=1.0, ge=0, le=_DAY, description="Time before the first further try, about; it doubles with each."
    )
    fetch_backoff_most_seconds: float = Field(
        default=60.0, ge=0, le=_DAY, description="Time before a further try at most, whatever a Retry-After asks for."
    )
    fetch_host_rate: float = Field(
        default=0.0, ge=0, le=10**6, description="Requests a second of one import to one host at most; 0: any number."
    )
    fetch_requests: int = Field(
        default=32,
        ge=1,
        le=1000,
        description="Requests that may wait for downloads at the same time, beside those that threads serve; further "
        "ones are answered with 503.",
    )

    model_threads: int = Field(default=1, ge=1, le=256, description="CPU threads of one model's forward pass.")
    model_queue_pictures: int = Field(
        default=256,
        ge=8,
        le=_MOST,
        description="Pictures that may wait for the model before requests are answered with 503.",
    )

    model_device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|cuda(:\d{1,3})?|mps)$",
        json_schema_extra={"allowed": "auto, cpu, cuda, cuda:N or mps"},
        description="Where models run: auto (CUDA, else MPS, else the CPU), cpu, or, with the extra huggingface, cuda,"
        " cuda:1 (any number) or mps.",
    )
    model_dtype: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        default="auto",
        description="Numbers that models compute in: auto (fp32), fp32, or, with the extra huggingface, bf16 or fp16.",
    )
    models_folder: FilePath | None = Field(
        default=None, description="Folder of the models of the Hugging Face hub; unset: its own cache (HF_HUB_CACHE)."
    )
    model_download: bool = Field(
        default=False, description="Fetch a model that is not at hand by itself, when it is first named or used."
    )
    model_remote_code: bool = Field(
        default=False, description="Run program code that comes with a model: as trusted as the server's own."
    )
    vector_cache_bytes: int = Field(
        default=64 * 2**20,
        ge=0,
        le=2**50,
        description="Memory for what was computed of recent pictures, in bytes; 0: none.",
    )
    fashion_taxonomy: FilePath | None = Field(
        default=None, description="TOML file of the tags that fashion collections make; unset: the project's own."
    )

    index_rows: int = Field(
        default=10_000,
        ge=0,
        le=_MOST,
        description="Rows from which a collection gets its HNSW index; below, exact is as fast.",
    )
    log_searches: bool = Field(
        default=False, description="Note every search in the table search_log, for the view recent_searches."
    )
    slow_search_seconds: float = Field(
        default=1.0,
        ge=0,
        le=_DAY,
        description="Time from which a search is told in the log, with its plan; 0: none is.",
    )
    search_log_rows: int = Field(
        default=100_000, ge=1, le=_MOST, description="Searches that are kept in the log at most."
    )
    advised_index_bytes: int = Field(
        default=0,
        ge=0,
        le=2**50,
        description="Size that a collection's indexes of attributes and of their values may reach, in bytes, where the "
        "server builds by itself what `collection advise` names; 0: it builds none.",
    )
    reindex_share: float = Field(
        default=0.2, gt=0, le=1, description="Share of an index's rows deleted from which it is built anew."
    )
    build_memory_mb: int | None = Field(
        default=None,
        ge=1,
        le=2_097_151,
        description="Memory of an index build, in MiB; unset: the server's maintenance_work_mem.",
    )
    build_workers: int | None = Field(
        default=None, ge=0, le=64, description="Parallel workers of an index build; unset: as the server is set up."
    )
    ef_search: int = Field(
        default=100,
        ge=1,
        le=1000,
        description="Default `hnsw.ef_search` where recall was not measured; grows with the root of the collection's "
        "size beyond 60,000 records.",
    )
    recall_target: float = Field(
        default=RECALL_TARGET,
        gt=0,
        le=1,
        description="Share of the true neighbours that searches aim at, for collections and requests that name none; "
        "1: every record is compared.",
    )
    recall_seconds: float = Field(
        default=60.0,
        ge=0,
        le=_DAY,
        description="Time that measuring the recall of an index may take of the database, for each 250,000 records or "
        "fewer, resting as long as it works; 0: it is never measured.",
    )
    export_files: int = Field(
        default=100,
        ge=0,
        le=_MOST,
        description="Files that `allRecords` and export jobs may leave in the export folder; then it refuses.",
    )
    export_bytes: int = Field(
        default=10 * 2**30,
        ge=0,
        le=2**50,
        description="Size of all files in the export folder at most; then it refuses.",
    )

    def __init__(self, **options: Any) -> None:
        try:
            super().__init__(**options)
        except ValidationError as error:
            raise ConfigurationError(sentences.wrong(error, type(self).model_fields, options)) from None

    @classmethod
    def misspelt(cls) -> list[str]:
        """Return a sentence for each variable of the environment that looks like a setting and is none."""
        return sentences.misspelt(os.environ, cls.model_fields)

    @property
    def models(self) -> ModelOptions:
        """Return where models run and where their files come from."""
        return ModelOptions(
            device=self.model_device,
            dtype=self.model_dtype,
            folder=self.models_folder,
            download=self.model_download,
            remote_code=self.model_remote_code,
        )

    @property
    def images(self) -> ImageLimits:
        """Return how large a picture may be."""
        return ImageLimits(max_bytes=self.max_image_bytes, max_pixels=self.max_image_pixels)

    @property
    def fetch(self) -> FetchPolicy:
        """Return which URLs are fetched, and how long and large a download may be."""
        return FetchPolicy(
            ports=frozenset(self.fetch_ports),
            allow_private=self.fetch_allow_private,
            connect_timeout_seconds=self.fetch_connect_timeout_seconds,
            total_timeout_seconds=self.fetch_timeout_seconds,
            max_bytes=self.max_image_bytes,
            max_redirects=self.fetch_max_redirects,
            per_host=self.fetch_host_workers,
            patience=Patience(
                self.fetch_retries, self.fetch_backoff_seconds, self.fetch_backoff_most_seconds, self.fetch_host_rate
            ),
        )
