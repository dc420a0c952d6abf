"""Settings: every one an environment variable with the prefix `LOOKALIKE_` (and `DATABASE_URL` without it)."""

from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.domain.options import FetchPolicy, ImageLimits, ModelOptions


class Settings(BaseSettings):
    """What a deployment may choose. Frozen: read once at start, passed down, never changed."""

    model_config = SettingsConfigDict(env_prefix="LOOKALIKE_", frozen=True, extra="ignore")

    home: Path = Field(
        default=Path.home() / ".lookalike",
        description="Folder of everything that the embedded database and the server write.",
    )
    database_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("DATABASE_URL", "LOOKALIKE_DATABASE_URL", "database_url"),
        description="PostgreSQL to use, as a libpq URL; unset: the embedded one, under LOOKALIKE_HOME.",
    )
    admin_database_url: str | None = Field(
        default=None,
        description="The same database as the schema's owner, past any pooler: for upgrades, index builds and the "
        "command line; unset: DATABASE_URL.",
    )
    pooler: Literal["auto", "none", "transaction"] = Field(
        default="auto", description="Whether DATABASE_URL leads to a pooler in transaction mode; auto: find out."
    )
    auto_upgrade: bool = Field(default=True, description="Bring the database schema up to date when the server starts.")

    host: str = Field(default="127.0.0.1", description="Address that the server listens on.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port that the server listens on.")
    threads: int = Field(default=8, ge=1, le=256, description="Requests served at the same time by one process.")
    queue_requests: int = Field(
        default=128, ge=0, description="Requests that may wait for a thread before others are answered with 503."
    )
    queue_seconds: float = Field(
        default=5.0, gt=0, description="Time that a request waits for a thread before it is answered with 503."
    )
    client_seconds: float = Field(
        default=10.0,
        ge=0.1,
        description="Time after which a request that comes no further is given up; answers likewise.",
    )
    shutdown_seconds: int = Field(default=30, ge=1, description="Time that running requests get to end at a stop.")
    log_level: str = Field(default="info", description="debug, info, warning or error.")

    pool_connections: int = Field(default=8, ge=1, le=200, description="Database connections of one process at most.")
    pool_timeout_seconds: float = Field(
        default=5.0, gt=0, description="Wait for a free database connection before a request is answered with 503."
    )
    statement_timeout_ms: int = Field(default=30_000, ge=100, description="Longest time one SQL statement may take.")
    auth_cache_seconds: float = Field(
        default=5.0, ge=0, le=300, description="Freshness of tokens and collections: a revoked token works no longer."
    )

    max_batch: int = Field(default=10, ge=1, le=1000, description="Records in one insert request at most.")
    max_records: int = Field(
        default=1000, ge=1, le=100_000, description="Records in one get, delete, update or rank request at most."
    )
    max_queries: int = Field(default=100, ge=1, le=1000, description="Query records of one Multi search at most.")
    max_pair_records: int = Field(
        default=200_000, ge=1, description="Records among which one allNearDupPairs request looks for pairs at most."
    )
    max_k: int = Field(default=100_000, ge=1, description="Records that a search may look through: `from` + `k`.")
    max_body_bytes: int = Field(default=64 * 2**20, ge=1024, description="Size of a request body at most.")
    max_attributes_bytes: int = Field(
        default=256 * 2**10, ge=1024, description="Size of one record's attributes, as JSON, at most."
    )

    unknown_parameters: Literal["ignore", "refuse"] = Field(
        default="ignore",
        description="What becomes of a request with a parameter that the method does not know: ignore (it is named in "
        "`statistics.ignored`) or refuse (402).",
    )
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/?#]+[^\s?#]*$",
        description="URL that clients reach the server by, with the path of a proxy before it; unset: as they call it, "
        "and relative links through proxies.",
    )

    max_image_bytes: int = Field(default=20 * 2**20, ge=1024, description="Size of one encoded picture at most.")
    max_image_pixels: int = Field(default=64_000_000, ge=1, description="Pixels of one picture at most.")
    files_root: Path | None = Field(
        default=None, description="Folder under which `_file` is opened; unset: it is never opened."
    )
    fetch_ports: tuple[int, ...] = Field(default=(80, 443), description="Ports that a `_url` may name, as JSON.")
    fetch_allow_private: bool = Field(
        default=False, description="Let `_url` reach private and loopback addresses (pictures of one's own network)."
    )
    fetch_connect_timeout_seconds: float = Field(default=5.0, gt=0, description="Time to reach a `_url`'s host.")
    fetch_timeout_seconds: float = Field(default=20.0, gt=0, description="Time for one download, all in all.")
    fetch_max_redirects: int = Field(default=3, ge=0, le=20, description="Redirects followed for one `_url`.")
    fetch_workers: int = Field(default=32, ge=1, le=256, description="Downloads at the same time in one process.")
    fetch_requests: int = Field(
        default=32,
        ge=1,
        le=1000,
        description="Requests that may wait for downloads at the same time, beside those that threads serve; further "
        "ones are answered with 503.",
    )

    model_threads: int = Field(default=1, ge=1, le=256, description="CPU threads of one model's forward pass.")
    model_queue_pictures: int = Field(
        default=256, ge=8, description="Pictures that may wait for the model before requests are answered with 503."
    )

    model_device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|cuda(:\d{1,3})?|mps)$",
        description="Where models run: auto (CUDA, else MPS, else the CPU), cpu, cuda, cuda:1 (any number), or mps.",
    )
    model_dtype: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        default="auto",
        description="Numbers that models compute in: auto (what suits the model and the device), fp32, bf16 or fp16.",
    )
    models_folder: Path | None = Field(
        default=None, description="Folder of the models of the Hugging Face hub; unset: its own cache (HF_HUB_CACHE)."
    )
    model_download: bool = Field(
        default=False, description="Fetch a model that is not at hand by itself, when it is first named or used."
    )
    model_remote_code: bool = Field(
        default=False, description="Run program code that comes with a model: as trusted as the server's own."
    )
    vector_cache_bytes: int = Field(
        default=64 * 2**20, ge=0, description="Memory for what was computed of recent pictures, in bytes; 0: none."
    )
    fashion_taxonomy: Path | None = Field(
        default=None, description="TOML file of the tags that fashion collections make; unset: the project's own."
    )

    index_rows: int = Field(
        default=10_000, ge=0, description="Rows from which a collection gets its HNSW index; below, exact is as fast."
    )
    log_searches: bool = Field(
        default=False, description="Note every search in the table search_log, for the view recent_searches."
    )
    search_log_rows: int = Field(default=100_000, ge=1, description="Searches that are kept in the log at most.")
    reindex_share: float = Field(
        default=0.2, gt=0, le=1, description="Share of an index's rows deleted from which it is built anew."
    )
    build_memory_mb: int | None = Field(
        default=None, ge=1, description="Memory of an index build, in MiB; unset: the server's maintenance_work_mem."
    )
    build_workers: int | None = Field(
        default=None, ge=0, le=64, description="Parallel workers of an index build; unset: as the server is set up."
    )
    ef_search: int = Field(
        default=100,
        ge=1,
        le=1000,
        description="HNSW search effort when a request names none; of over 60,000 records more.",
    )
    export_files: int = Field(
        default=100, ge=0, description="Files that `allRecords` may leave in the export folder; then it refuses."
    )
    export_bytes: int = Field(
        default=10 * 2**30, ge=0, description="Size of all files in the export folder at most; then it refuses."
    )
    export_folder: Path | None = Field(
        default=None, description="Folder that `allRecords` writes its files to; unset: `exports` in LOOKALIKE_HOME."
    )

    @property
    def models(self) -> ModelOptions:
        """Where models run and where their files come from."""
        return ModelOptions(
            device=self.model_device,
            dtype=self.model_dtype,
            folder=self.models_folder,
            download=self.model_download,
            remote_code=self.model_remote_code,
        )

    @property
    def images(self) -> ImageLimits:
        """How large a picture may be."""
        return ImageLimits(max_bytes=self.max_image_bytes, max_pixels=self.max_image_pixels)

    @property
    def fetch(self) -> FetchPolicy:
        """What may be fetched of a `_url`."""
        return FetchPolicy(
            ports=frozenset(self.fetch_ports),
            allow_private=self.fetch_allow_private,
            connect_timeout_seconds=self.fetch_connect_timeout_seconds,
            total_timeout_seconds=self.fetch_timeout_seconds,
            max_bytes=self.max_image_bytes,
            max_redirects=self.fetch_max_redirects,
        )
