"""What an export is to be: its format, and what of the records it holds."""

from dataclasses import dataclass, replace
from typing import Literal, get_args

from app.db.exporting import Pictures
from app.domain.errors import ConfigurationError, InvalidRequest
from app.embedding.models.extras import installed

Format = Literal["jsonl", "csv", "parquet", "tar"]
Compression = Literal["none", "gzip", "zstd"]

FORMATS: tuple[Format, ...] = get_args(Format)
COMPRESSIONS: tuple[Compression, ...] = get_args(Compression)
PICTURES: tuple[Pictures, ...] = get_args(Pictures)

_ENDINGS: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
    ".tar": "tar",
    ".tgz": "tar",
}
_COMPRESSED: dict[str, Compression] = {".gz": "gzip", ".tgz": "gzip", ".zst": "zstd"}
_ENDING_OF: dict[Compression, str] = {"none": "", "gzip": ".gz", "zstd": ".zst"}


@dataclass(frozen=True, slots=True)
class Choice:
    """An export has a format, and holds vectors (`embeddings`) and `pictures` if these are chosen."""

    format: Format = "jsonl"
    compression: Compression = "none"
    embeddings: bool = False
    pictures: Pictures = "none"

    @classmethod
    def named(cls, name: str, format_: Format | None = None, compression: Compression | None = None) -> "Choice":
        """Return the choice that a file's name speaks of where nothing else is said: `shop.csv.gz`; else JSON lines."""
        lower = name.lower()
        packed: Compression = next((kind for end, kind in _COMPRESSED.items() if lower.endswith(end)), "none")
        bare = lower.removesuffix(_ENDING_OF[packed])
        meant: Format = next((kind for end, kind in _ENDINGS.items() if bare.endswith(end)), "jsonl")
        return cls(format_ or meant, compression or packed)

    def checked(self) -> "Choice":
        """Return the choice if it can be done; a tar without a word about pictures holds thumbnails.

        Raises:
            InvalidRequest: its parts do not go together.
            ConfigurationError: a package is missing for it.

        """
        chosen = replace(self, pictures="thumbnails") if (self.format, self.pictures) == ("tar", "none") else self
        if chosen.pictures != "none" and chosen.format in {"csv", "parquet"}:
            raise InvalidRequest(f"{chosen.format} holds no pictures: choose the format jsonl or tar for them")
        if chosen.compression != "none" and chosen.format == "parquet":
            raise InvalidRequest("parquet is compressed within: leave out the compression, and a name's .gz or .zst")
        if chosen.format == "parquet" and not installed("pyarrow"):
            raise ConfigurationError(
                "the format parquet needs pyarrow, which is not installed: pip install 'lookalike[parquet]'"
            )
        return chosen

    @property
    def ending(self) -> str:
        """The end of a file's name for it, e.g. `.jsonl.gz`."""
        return f".{self.format}{_ENDING_OF[self.compression]}"

    @property
    def media_type(self) -> str:
        """The type of the file for HTTP; what is compressed is named as such, as it is kept as it is."""
        if self.compression != "none":
            return {"gzip": "application/gzip", "zstd": "application/zstd"}[self.compression]
        return {
            "jsonl": "application/x-ndjson",
            "csv": "text/csv; charset=utf-8",
            "parquet": "application/vnd.apache.parquet",
            "tar": "application/x-tar",
        }[self.format]


def one_of(value: object, allowed: tuple[str, ...], name: str) -> str:
    """Return a value that is one of those allowed.

    Raises:
        InvalidRequest: it is not.

    """
    if not isinstance(value, str) or value not in allowed:
        raise InvalidRequest(f"{name} must be one of {', '.join(allowed)}, not {str(value)[:40]!r}")
    return value
