"""A PNG file's chunks are checked before it is decoded, and those that viewers pass over are taken out."""

import struct
import zlib
from dataclasses import dataclass

from app.domain.errors import ImageError
from app.embedding.pictures.colour_profiles import D65, MAX_PROFILE_BYTES, matrix_profile

START = b"\x89PNG\r\n\x1a\n"

# A file of 20 MB could hold 1.7 million empty chunks, each of which costs steps in Python. Encoders that write small
# chunks of pixels write some thousands.
_MAX_CHUNKS = 100_000
_CRITICAL = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
# The decoder needs these, and these texts in which programs keep Exif and XMP, for the orientation.
_KEPT = frozenset({b"tRNS", b"eXIf"})
_TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_KEYWORDS = (b"Raw profile type exif\0", b"XML:com.adobe.xmp\0")
_COLOURS = frozenset({b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM"})
_MAX_TEXT_BYTES = 2**20

_SRGB_PRIMARIES = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_SRGB_GAMMA = 1 / 2.2  # as `gAMA` gives sRGB by the specification
_PRIMARIES = {  # of ITU-T H.273, those of pictures
    1: _SRGB_PRIMARIES,
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}
_TRANSFERS = {4: 2.2, 5: 2.8, 8: 1.0, 13: None}  # exponents; None: the curve of sRGB


@dataclass(frozen=True, slots=True)
class Png:
    """A PNG that may be decoded: without chunks that no pixel needs, and with its ICC profile, if it names a space."""

    data: bytes
    profile: bytes | None
    bits: int
    key: tuple[int, ...] | None
    """The colour, at the picture's own depth, that is transparent; None: none is, or the decoder knows by itself."""


def checked(data: bytes) -> Png:
    """Return a PNG file without what a decoder might stumble over and no pixel depends on.

    Chunks that hold no pixels (text, time, resolution) go, whether their checksums are right or wrong.

    Raises:
        ImageError: a chunk that holds pixels is damaged or unknown, or there are too many chunks.

    """
    view = memoryview(data)
    parts: list[memoryview | bytes] = [START]
    colours: dict[bytes, bytes] = {}
    header = key = b""
    place, count = len(START), 0
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        end = place + length + 12
        count += 1
        if count > _MAX_CHUNKS:
            raise ImageError(f"the PNG picture has more than {_MAX_CHUNKS} chunks")
        if end > len(data) or kind == b"IEND":
            parts.append(view[place:])  # cut off: the decoder knows whether pixels are missing
            break
        sound = zlib.crc32(view[place + 4 : end - 4]) == int.from_bytes(view[end - 4 : end])
        body = view[place + 8 : end - 4]
        if not kind[0] & 0x20:
            _check_critical(kind, sound=sound)
            header = header or bytes(body)
            parts.append(view[place:end])
        elif sound and kind in _COLOURS:
            colours.setdefault(kind, bytes(body))
        elif sound and (kind in _KEPT or _is_metadata(kind, body)):
            key = bytes(body) if kind == b"tRNS" else key
            parts.append(view[place:end])
        place = end
    bits, colour = (header[8], header[9]) if len(header) >= 10 else (8, 0)
    deep_key = struct.unpack(f">{len(key) // 2}H", key) if bits == 16 and len(key) == {0: 2, 2: 6}.get(colour) else None
    return Png(b"".join(parts), _profile(colours), bits, deep_key)


def _check_critical(kind: bytes, *, sound: bool) -> None:
    if not sound:
        raise ImageError(f"the PNG picture is damaged: the checksum of a chunk {_name(kind)} is wrong")
    if kind not in _CRITICAL:
        raise ImageError(f"the PNG picture is of a kind that is not supported: it has a chunk {_name(kind)}")


def _name(kind: bytes) -> str:
    return kind.decode("ascii", "replace") if kind.isalpha() else repr(kind)[2:-1]


def _is_metadata(kind: bytes, body: memoryview) -> bool:
    if kind not in _TEXTS or not bytes(body[:32]).startswith(_KEYWORDS):
        return False
    if kind == b"tEXt":
        return True
    packed = body[bytes(body[:32]).index(0) + 2 :] if kind == b"zTXt" else b""
    unpacker = zlib.decompressobj()
    try:
        unpacker.decompress(packed, _MAX_TEXT_BYTES)
    except zlib.error:
        return False
    return not unpacker.unconsumed_tail


def _profile(chunks: dict[bytes, bytes]) -> bytes | None:
    """Return the ICC profile that a file's chunks amount to, None for sRGB: the specification's order of precedence."""
    if (code := chunks.get(b"cICP", b"")) and len(code) == 4 and code[0] in _PRIMARIES and code[1] in _TRANSFERS:
        return matrix_profile(_PRIMARIES[code[0]], D65, _TRANSFERS[code[1]])
    if b"iCCP" in chunks and (profile := _unpacked(chunks[b"iCCP"])):
        return profile
    if b"sRGB" in chunks:
        return None
    gamma, places = chunks.get(b"gAMA", b""), chunks.get(b"cHRM", b"")
    return _measured(int.from_bytes(gamma[:4]) / 1e5, places) if len(gamma) == 4 else None


def _unpacked(chunk: bytes) -> bytes | None:
    _, _, rest = chunk.partition(b"\0")
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(rest[1:], MAX_PROFILE_BYTES)
    except zlib.error:
        return None
    return None if unpacker.unconsumed_tail else profile


def _measured(gamma: float, places: bytes) -> bytes | None:
    """Return the profile of an exponent and, if there are any, chromaticities; None where they are those of sRGB.

    Without the exponent, chromaticities alone say nothing of the values.
    """
    values = [value / 1e5 for value in struct.unpack(">8I", places)] if len(places) == 32 else [*D65, *_SRGB_PRIMARIES]
    usual = all(abs(one - other) < 0.01 for one, other in zip(values, [*D65, *_SRGB_PRIMARIES], strict=True))
    if not 0.1 <= gamma <= 10 or (usual and abs(gamma / _SRGB_GAMMA - 1) < 0.05):
        return None
    return matrix_profile(tuple(values[2:]), (values[0], values[1]), 1 / gamma)
